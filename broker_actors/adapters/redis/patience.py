"""Waiting for an answer, on a loop that may be held up.

After a method has blocked the loop for a minute, every timer is due and every answer that
came meanwhile is unread. Invariant: a server is given up only after the loop had the time
to read what it has sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

#: A timer this late says that the loop was held up, and nothing about the server.
LATE_SECONDS: Final = 0.5


@asynccontextmanager
async def patience(seconds: float) -> AsyncGenerator[None]:
    """Raise `TimeoutError` in the body after *seconds* of a loop that was not held up."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    async with asyncio.timeout(None) as deadline:

        def wait() -> None:
            nonlocal timer
            timer = loop.call_later(seconds, due, loop.time() + seconds)

        def due(when: float) -> None:
            if loop.time() - when < LATE_SECONDS:
                deadline.reschedule(loop.time())
            else:
                wait()

        wait()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
