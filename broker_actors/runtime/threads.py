"""Blocking calls, each in a thread, so many at a time.

The threads are daemons: nobody can stop one, and one that hangs must not keep the process
from ending. Invariant: a call that was given up keeps its place until its thread ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

THREADS_MAX: Final = 32
#: Not like our own threads, which a dump leaves out: what runs in it is the user's.
THREAD: Final = "actor-method"


class Threads:
    """The threads of one worker."""

    def __init__(self, threads_max: int = THREADS_MAX) -> None:
        self._room = asyncio.Semaphore(threads_max)

    async def run(self, call: Callable[[], T], on_left_behind: Callable[[], None]) -> T:
        """Return what *call* returns, in the context of the caller; raise what it raises.

        Args:
            call: what blocks.
            on_left_behind: called when the caller gives up while the thread goes on.

        """
        await self._room.acquire()
        loop, context, outcome = asyncio.get_running_loop(), copy_context(), Future[T]()
        outcome.set_running_or_notify_cancel()

        def work() -> None:
            try:
                result = context.run(call)
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
                outcome.set_exception(error)
            else:
                outcome.set_result(result)
            # Not if the loop has ended meanwhile: then nobody waits for the place.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._room.release)

        threading.Thread(target=work, name=THREAD, daemon=True).start()
        try:
            return await asyncio.wrap_future(outcome)
        except asyncio.CancelledError:
            if not outcome.done():
                on_left_behind()
            raise
