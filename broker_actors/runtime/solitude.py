"""Who runs user code in this process now: many beside each other, or one alone.

Invariant: while one is alone nobody else runs user code here, so a crash then is nobody else's.
Those who wait for somebody's answer do not run.
"""

from __future__ import annotations

import asyncio


class Solitude:
    """Lets many in beside each other, or one."""

    def __init__(self) -> None:
        self._running = 0
        #: Held by the one that is alone, or is next.
        self._turn = asyncio.Lock()
        self._opened = asyncio.Event()
        self._opened.set()
        #: Set when nobody runs any more; None while nobody waits for that.
        self._quiet: asyncio.Event | None = None

    async def enter(self) -> None:
        """Begin to run beside others; returns at once while nobody is alone, or is about to be."""
        while not self.enter_nowait():
            await self._opened.wait()

    def enter_nowait(self) -> bool:
        """Begin to run beside others; return False, having begun nothing, if that is not the time."""
        if not self._opened.is_set():
            return False
        self._running += 1
        return True

    def leave(self) -> None:
        """End what `enter` began."""
        self._running -= 1
        if not self._running and self._quiet is not None:
            self._quiet.set()

    async def alone(self, patience_seconds: float) -> bool:
        """Begin to run alone; return False, having begun nothing, if others run for too long.

        Nobody begins while this one waits for those that run. Whoever wants to be alone waits
        for those that wanted it before.
        """
        await self._turn.acquire()
        self._opened.clear()
        try:
            async with asyncio.timeout(patience_seconds):
                # Nobody enters meanwhile.
                if self._running:
                    self._quiet = asyncio.Event()
                    await self._quiet.wait()
        except BaseException as error:
            self.part()
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def part(self) -> None:
        """End what `alone` began: others may run now."""
        self._quiet = None
        self._opened.set()
        self._turn.release()
