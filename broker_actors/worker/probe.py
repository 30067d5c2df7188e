"""What the health endpoint of one worker process says."""

from __future__ import annotations

from broker_actors.worker.dump import Subject, blocker, dump
from broker_actors.worker.health import Answer
from broker_actors.worker.pulse import Pulse


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
        if not self._pulse.is_blocked:
            return Answer(is_so=True)
        who = blocker(self.subject, self._pulse)
        text = f"the event loop has been held up for {self._pulse.held_seconds:.1f} s"
        return Answer(is_so=False, reasons=(f"{text} by {who}" if who else text,))

    def ready(self) -> Answer:
        """Return whether the worker consumes what it should, as far as it knows itself."""
        if self.is_stopping:
            return Answer(is_so=False, reasons=("the worker is stopping",))
        if self.subject is None:
            return Answer(is_so=False, reasons=("the worker is starting",))
        alive, status = self.alive(), self.subject.status()
        return Answer(alive.is_so and status.ready, (*alive.reasons, *status.reasons))

    def dump(self) -> str:
        """Return what the worker does now."""
        return dump(self.subject, self._pulse)
