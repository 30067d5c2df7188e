"""Generators of users as asynchronous ones: what was written with `yield` in a `def` is stepped here.

A step of a `def` runs inline, as a synchronous method does, or in a thread if its method says so.
Invariant: nobody waits for a step longer than `STEP_SECONDS_MAX` once its stream is cancelled.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Final, TypeAlias, cast

_END: Final = object()

#: How long a step in a thread is waited for once its stream is cancelled; then it is left behind.
STEP_SECONDS_MAX: Final = 2.0

#: Runs a step in a thread; when cancelled it leaves the thread behind.
InThread: TypeAlias = Callable[[Callable[[], object]], Coroutine[Any, Any, object]]


def asynchronous(
    made: object, *, in_thread: InThread | None, slow: Callable[[float], None]
) -> AsyncGenerator[object]:
    """Return *made*, which a method returned, as an asynchronous generator.

    Args:
        made: a generator or iterator, asynchronous or not.
        in_thread: runs the steps of a synchronous one in a thread; None to run them inline.
        slow: told how long each inline step held the loop.

    Raises:
        TypeError: it is nothing to iterate over.

    """
    if isinstance(made, AsyncGenerator):
        return cast("AsyncGenerator[object]", made)
    if isinstance(made, AsyncIterator):
        return _each(cast("AsyncIterator[object]", made))
    if not isinstance(made, Iterator):
        raise TypeError(f"returned {type(made).__name__}, which is no iterator")
    steps = cast("Iterator[object]", made)
    return _inline(steps, slow) if in_thread is None else _threaded(steps, in_thread)


async def _each(values: AsyncIterator[object]) -> AsyncGenerator[object]:
    async for value in values:
        yield value


async def _inline(values: Iterator[object], slow: Callable[[float], None]) -> AsyncGenerator[object]:
    time = asyncio.get_running_loop().time
    try:
        while True:
            began_seconds = time()
            value = next(values, _END)
            slow(time() - began_seconds)
            if value is _END:
                return
            yield value
    finally:
        _close(values)


class _Steps:
    """An iterator that threads step, one at a time; closed by whichever side has it last."""

    def __init__(self, values: Iterator[object]) -> None:
        self._values = values
        self._guard = threading.Lock()
        self._is_left = threading.Event()
        self._is_running = False

    def step(self) -> object:
        """Return the next value, or the mark of the end; close what was left meanwhile."""
        with self._guard:
            if self._is_left.is_set():
                return _END
            self._is_running = True
        try:
            return next(self._values, _END)
        finally:
            with self._guard:
                self._is_running = False
                is_left = self._is_left.is_set()
            if is_left:
                self.close()

    def leave(self) -> bool:
        """Step no more; return whether the iterator is to be closed now, as no step runs."""
        with self._guard:
            self._is_left.set()
            return not self._is_running

    def close(self) -> None:
        """Run its `finally`."""
        _close(self._values)


async def _threaded(values: Iterator[object], in_thread: InThread) -> AsyncGenerator[object]:
    steps = _Steps(values)
    try:
        while (value := await _finished(in_thread(steps.step))) is not _END:
            yield value
    finally:
        if steps.leave():
            closing = asyncio.ensure_future(in_thread(steps.close))
            await _a_little(closing)
            if not closing.cancelled():
                closing.result()


async def _finished(step: Coroutine[Any, Any, object]) -> object:
    """Return what *step* returns, which is waited for a little also by who is cancelled."""
    running = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # The thread cannot be stopped, and a generator that runs cannot be closed.
        await _a_little(running)
        raise


async def _a_little(running: asyncio.Future[object]) -> None:
    """Wait for *running*, but not longer than it may take; then it is cancelled."""
    try:
        await asyncio.wait([running], timeout=STEP_SECONDS_MAX)
    finally:
        if running.cancel():
            await asyncio.wait([running])
        if not running.cancelled():
            running.exception()


def _close(values: Iterator[object]) -> None:
    if isinstance(values, Generator):
        cast("Generator[object, None, None]", values).close()
