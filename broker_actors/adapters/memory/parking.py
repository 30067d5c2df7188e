"""What one actor has parked, inside the process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from broker_actors.ports.parking import ParkingChange, ParkingSize


@dataclass(slots=True)
class MemoryParking:
    """Entries in order, and when the first of them is due."""

    entries: deque[bytes] = field(default_factory=deque[bytes])
    due_ms: int = 0

    @property
    def size(self) -> ParkingSize:
        """How much is parked."""
        return ParkingSize(len(self.entries), sum(map(len, self.entries)))

    def change(self, change: ParkingChange) -> None:
        """Do what a commit asks for. A head that is not there can neither leave nor be replaced."""
        if self.entries and change.pops:
            self.entries.popleft()
        elif self.entries and change.head is not None:
            self.entries[0] = change.head
        self.entries.extend(change.appended)
        self.due_ms = change.due_ms
