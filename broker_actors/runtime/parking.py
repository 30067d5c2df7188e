"""What one activation has parked, as far as this process knows.

Invariants: the counts are those of the store, for only the holder of the newest claim
changes a parking, by commits of its ledger; a turn that runs an envelope which is not
parked runs while the parking is empty, so that what it may leave there is its head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.parking import Parked, Unreadable, has_room, pack, read
from broker_actors.core.suspending import due_ms
from broker_actors.core.suspension import Suspension
from broker_actors.ports.parking import NEVER_MS, PARKED_READ_MAX, ParkingChange, Parkings, ParkingSize
from broker_actors.runtime.arrival import Arrival

#: What is parked with one commit, of several entries: the store does nothing else meanwhile.
COMMIT_BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class ParkedBytes:
    """What all actors have parked together, as this worker last heard, and what it added since."""

    by_type: dict[str, int] = field(default_factory=dict[str, int])

    def counted(self, actor_type: str, total: int) -> None:
        """Take note of what the store says."""
        self.by_type[actor_type] = total

    def add(self, actor_type: str, change: int) -> None:
        """Take note of what was parked here since."""
        self.by_type[actor_type] = max(0, self.by_type.get(actor_type, 0) + change)

    @property
    def total(self) -> int:
        """Of all types this worker knows of."""
        return sum(self.by_type.values())


class Parking:
    """The parking of one activation."""

    __slots__ = (
        "_ahead",
        "_in_all",
        "_store",
        "address",
        "begins",
        "bytes",
        "due_ms",
        "entries",
        "is_suspect",
        "running",
        "runs_head",
        "suspension",
    )

    def __init__(self, store: Parkings, address: Address, size: ParkingSize, in_all: ParkedBytes) -> None:
        self._store = store
        self._in_all = in_all
        self.address = address
        self.entries = size.entries
        self.bytes = size.bytes
        #: The first entries as they were read, with their sizes; never more than one read. Made when there
        #: are some: an empty deque takes half as much as all the rest of an idle actor.
        self._ahead: deque[tuple[Parked | Unreadable, int]] | None = None
        #: When the head may run; 0 for at once, and as long as nobody has read it.
        self.due_ms = 0
        #: Whether whoever had the actor before may have died of the head.
        self.is_suspect = size.entries > 0
        #: Whether the turn that runs is that of the head.
        self.runs_head = False
        #: Whether a turn is about to run an envelope, and it is not known yet whether it must.
        self.begins = False
        #: Why the actor must not run; None if it may.
        self.suspension: Suspension | None = None
        #: What runs and is not committed; None if the turn is before or beyond that.
        self.running: Arrival | None = None

    @property
    def is_beneath(self) -> bool:
        """Whether what runs would have to be parked before anything else is."""
        return self.running is not None and not self.runs_head

    def begin(self, *, from_head: bool) -> None:
        """Take note that a turn of the lane begins, with an envelope that is parked or with another."""
        self.runs_head = from_head
        self.begins = not from_head

    def runs(self, arrival: Arrival) -> None:
        """Take note that it is certain by now that the turn must run."""
        self.begins = False
        self.running = arrival

    def end(self) -> None:
        """Take note that the turn of the lane ended."""
        if self.runs_head:
            self.is_suspect = False
        self.begins = self.runs_head = False
        self.running = None

    def due_after(self, now_ms: int) -> int:
        """Return when the head is due once something lines up behind it."""
        if self.suspension is not None:
            return due_ms(self.suspension, now_ms, NEVER_MS)
        return max(self.due_ms, now_ms)

    async def head(self) -> Parked | Unreadable | None:
        """Return the first entry; None if there is none.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        if not self.entries:
            return None
        if not self._ahead:
            found = await self._store.parking(self.address, limit=PARKED_READ_MAX)
            if not found:
                # Somebody else has it, or the store has gone back: what is committed next will be fenced.
                return None
            self._ahead = deque((read(data), len(data)) for data in found)
        head, _ = self._ahead[0]
        self.due_ms = head.due_ms
        return head

    def room_for(self, entries: Sequence[bytes]) -> int:
        """Return how many of *entries*, from the first on, may be parked with one commit."""
        added = 0
        for n, entry in enumerate(entries):
            if n and added + len(entry) > COMMIT_BYTES_MAX:
                return n
            if not has_room(len(entry), self.bytes + added, self._in_all.total + added):
                return n
            added += len(entry)
        return len(entries)

    def settled(self, head: Parked | None, now_ms: int) -> ParkingChange | None:
        """Return what the commit of the turn that runs does to the parking.

        The turn counts as committed from now on.

        Args:
            head: what is to run again, before everything else; None if the turn is over.
            now_ms: the time.

        """
        self.running = None
        if head is not None:
            data = pack(head)
            if self.runs_head:
                return ParkingChange(head=data, due_ms=head.due_ms)
            return ParkingChange(appended=(data,), due_ms=head.due_ms)
        if not self.runs_head:
            return None
        # The next one was never tried: it is due, and looked after from now on.
        return ParkingChange(pops=True, due_ms=now_ms)

    def committed(self, change: ParkingChange, appended: Sequence[Parked]) -> None:
        """Take note that *change* is in the store, which has appended *appended*."""
        before = self.bytes
        if change.pops and self.entries:
            size_bytes = self._leave()
            self.entries -= 1
            self.bytes -= size_bytes
            self.due_ms = 0
        elif change.head is not None and self.entries:
            self.bytes += len(change.head) - self._leave()
            self._read_ahead.appendleft((read(change.head), len(change.head)))
            self.due_ms = change.due_ms
        if not self.entries and appended:
            self.due_ms = appended[0].due_ms
        if appended:
            self._follow(appended, change.appended)
        self._in_all.add(self.address.type, self.bytes - before)

    @property
    def _read_ahead(self) -> deque[tuple[Parked | Unreadable, int]]:
        if self._ahead is None:
            self._ahead = deque()
        return self._ahead

    def _follow(self, appended: Sequence[Parked], entries: Sequence[bytes]) -> None:
        ahead = self._read_ahead
        is_all_ahead = len(ahead) == self.entries
        for parked, data in zip(appended, entries, strict=True):
            if is_all_ahead and len(ahead) < PARKED_READ_MAX:
                ahead.append((parked, len(data)))
            else:
                is_all_ahead = False
            self.entries += 1
            self.bytes += len(data)

    def _leave(self) -> int:
        ahead = self._read_ahead
        _, size_bytes = ahead.popleft()
        if not ahead:
            self._ahead = None
        return size_bytes
