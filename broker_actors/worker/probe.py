"""What the health endpoint of one worker process says."""

from __future__ import annotations

from typing import Final

from broker_actors.worker.dump import Subject, blocker, dump
from broker_actors.worker.health import Answer
from broker_actors.worker.pulse import Pulse

#: A loop that was held up for longer explains whatever else is missing: answers that have
#: come cannot be read meanwhile.
EXPLAINS_SECONDS: Final = 1.0


class WorkerProbe:
    """Looks at a worker and its loop. Implements `health.Probe`."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        #: The worker, from when it has started.
        self.subject: Subject | None = None
        #: Whether it has been told to stop.
        self.is_stopping = False

    def alive(self) -> Answer:
        """Return whether the event loop has turned lately; if not, which turn holds it."""
        return Answer(is_so=False, reasons=(self._held(),)) if self._pulse.is_blocked else Answer(is_so=True)

    def ready(self) -> Answer:
        """Return whether the worker consumes what it should, as far as it knows itself."""
        if self.is_stopping:
            return Answer(is_so=False, reasons=("the worker is stopping",))
        if self.subject is None:
            return Answer(is_so=False, reasons=("the worker is starting",))
        alive, status = self.alive(), self.subject.status()
        if alive.is_so and status.ready:
            return Answer(is_so=True)
        if self._pulse.held_seconds > EXPLAINS_SECONDS:
            # The status is as old as the hold: a store that answers looks silent in it.
            return Answer(is_so=False, reasons=(self._held(),))
        return Answer(is_so=False, reasons=(*alive.reasons, *status.reasons))

    def dump(self) -> str:
        """Return what the worker does now."""
        return dump(self.subject, self._pulse)

    def _held(self) -> str:
        who = blocker(self.subject, self._pulse)
        text = f"the event loop has been held up for {self._pulse.held_seconds:.1f} s"
        return f"{text} by {who}" if who else text
