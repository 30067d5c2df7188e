"""Ends a worker process whose event loop is held up for good, so that another can take its place.

A method that never returns cannot be stopped from inside its process. By then the others have taken the
worker for dead, and what it would commit is refused as soon as somebody else has its actor.
Invariant: a process whose loop hangs ends within two bounds, also if no thread of Python's gets a turn.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from broker_actors.worker.pulse import Pulse

#: How often the loop is looked at.
LOOK_SECONDS: Final = 0.5
#: A loop hangs when it is held up for so many times as long as it may be.
HANGS_AFTER: Final = 2.0
#: Whoever allows more, or infinity, wants no bound; a timer of the system needs one.
BOUND_SECONDS_MAX: Final = 366 * 86_400.0
#: How long the end of the thread may hold up the end of the process.
_FAREWELL_SECONDS: Final = 5.0
_STDERR: Final = 2


class HangGuard:
    """Looks at one loop, from entering to leaving."""

    def __init__(self, pulse: Pulse, report: Callable[[float], None]) -> None:
        """Prepare.

        Args:
            pulse: of the loop.
            report: says that the process is about to end, and why; is given how long the loop was held up.
                Called from a thread.

        """
        self._pulse = pulse
        self._report = report
        self._bound_seconds = min(BOUND_SECONDS_MAX, HANGS_AFTER * pulse.max_block_seconds)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="broker-actors-hang", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._arm()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no more."""
        self._left.set()
        self._thread.join(_FAREWELL_SECONDS)
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while not self._left.wait(LOOK_SECONDS):
            self._arm()
            held_seconds = self._pulse.held_seconds
            if held_seconds > self._bound_seconds:
                try:
                    self._report(held_seconds)
                finally:
                    # By a signal, and not by an exit code: those are for workers that decided to end.
                    os.abort()

    def _arm(self) -> None:
        # A C thread, for when this one never looks again: code that keeps the interpreter's lock, as a
        # regular expression may for hours, lets no other run, and a report may hang on a lock of the loop.
        faulthandler.dump_traceback_later(LOOK_SECONDS + self._bound_seconds, exit=True, file=_STDERR)
