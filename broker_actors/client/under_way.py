"""The calls of this process that have not ended.

Invariant: a call is known here from before its first wait until it ends, so that closing
the client ends every one of them, wherever it waits, and can wait until all have ended.
"""

from __future__ import annotations

import asyncio
from typing import Final

from broker_actors.core.errors import PlatformError

CLOSED: Final = "the actor system was closed while this call was under way: it may still run, or have run"


class UnderWay:
    """The deadlines of the calls under way: to end a call is to make its deadline pass."""

    def __init__(self) -> None:
        # A dict for its order: calls end in the order in which they began.
        self._deadlines: dict[asyncio.Timeout, None] = {}
        self._ended = asyncio.Event()
        #: Whether `end_all` was called.
        self.closed = False

    def add(self, deadline: asyncio.Timeout) -> None:
        """Note a call; whoever does must `remove` it when it ends."""
        self._deadlines[deadline] = None

    def remove(self, deadline: asyncio.Timeout) -> None:
        """Forget a call that has ended."""
        self._deadlines.pop(deadline, None)
        if not self._deadlines:
            self._ended.set()

    def check_open(self) -> None:
        """Raise `PlatformError` if the client was closed since the call began."""
        if self.closed:
            raise PlatformError(CLOSED)

    async def end_all(self) -> None:
        """End every call with a `TimeoutError` where it waits, and return when all have ended."""
        self.closed = True
        now_seconds = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(now_seconds)
        while self._deadlines:
            self._ended.clear()
            await self._ended.wait()
