"""How long an answer is waited for on a connection that is busy delivering.

A broker sends on one socket, in order: the answer for the last of a hundred mailboxes comes behind
what it delivers from those before. Giving up then would only make it deliver all of that again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

T = TypeVar("T")

#: So many deadlines may pass one after the other while something else arrives.
DEADLINES_MAX: Final = 6


async def while_it_delivers(
    opening: Coroutine[None, None, T], delivered: Callable[[], int], timeout_seconds: float
) -> T:
    """Return what *opening* returns, as long as the broker answers anything at all.

    Args:
        opening: what is waited for; it is cancelled when it takes too long.
        delivered: how much has been delivered on the same connection so far.
        timeout_seconds: without an answer or a delivery for that long, it is given up.

    Raises:
        TimeoutError: it was given up.

    """
    task = asyncio.ensure_future(opening)
    try:
        for _ in range(DEADLINES_MAX):
            before = delivered()
            await asyncio.wait((task,), timeout=timeout_seconds)
            if task.done():
                return task.result()
            if delivered() == before:
                break
    finally:
        task.cancel()
        # What it holds is let go before the caller tries again.
        await asyncio.wait((task,))
    raise TimeoutError
