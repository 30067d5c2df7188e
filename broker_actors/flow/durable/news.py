"""Word from the turns of an actor to its generators in this process: something may have changed.

What has changed is read from the state, inside of a section. Word may come for nothing, and may be missed
when the actor was built anew, so nobody waits for it alone.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

#: How long to go without word.
LOOK_SECONDS: Final = 5.0


class News:
    """Wakes whoever waits."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake them."""
        self._event.set()
        self._event = asyncio.Event()

    def latest(self) -> asyncio.Event:
        """Return what comes next; taken inside of a section, it misses nothing that is committed after it."""
        return self._event

    async def wait(self, following: asyncio.Event) -> None:
        """Return when word has come since *following* was taken, or at the latest after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await following.wait()
