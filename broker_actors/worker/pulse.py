"""Whether the event loop turns: a tick that others can look at from outside of the loop."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from typing import Final

#: How often the loop ticks, at least a few times within what it may be held up.
TICK_SECONDS: Final = 0.5
_TICKS_IN_BLOCK: Final = 4


class Pulse:
    """Ticks on the loop it is started on, from then until stopped."""

    def __init__(self, max_block_seconds: float) -> None:
        """Prepare a pulse.

        Args:
            max_block_seconds: how long the loop may be held up.

        """
        self.max_block_seconds = max_block_seconds
        self._interval_seconds = min(TICK_SECONDS, max_block_seconds / _TICKS_IN_BLOCK)
        self._ticked_seconds = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        #: The loop, once started.
        self.loop: asyncio.AbstractEventLoop | None = None
        #: The thread it runs in.
        self.thread = 0

    def start(self) -> None:
        """Begin to tick on the running loop."""
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self._tick()

    def stop(self) -> None:
        """Stop ticking. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def held_seconds(self) -> float:
        """How long the loop has been held up, beyond what lies between two ticks. From any thread."""
        return max(0.0, monotonic() - self._ticked_seconds - self._interval_seconds)

    @property
    def is_blocked(self) -> bool:
        """Whether it has been held up for longer than it may be. From any thread."""
        return self.held_seconds > self.max_block_seconds

    def _tick(self) -> None:
        self._ticked_seconds = monotonic()
        assert self.loop is not None
        self._timer = self.loop.call_later(self._interval_seconds, self._tick)
