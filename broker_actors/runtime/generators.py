"""Generators of users as asynchronous ones: what was written with `yield` in a `def` is stepped here.

A step of a `def` runs inline, as a synchronous method does, or in a thread if its method says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Final, TypeVar, cast

T = TypeVar("T")

_END: Final = object()


def asynchronous(made: object, *, in_thread: bool, slow: Callable[[float], None]) -> AsyncGenerator[object]:
    """Return *made*, which a method returned, as an asynchronous generator.

    Args:
        made: a generator or iterator, asynchronous or not.
        in_thread: whether the steps of a synchronous one run in a thread.
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
    return _in_thread(steps) if in_thread else _inline(steps, slow)


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


async def _in_thread(values: Iterator[object]) -> AsyncGenerator[object]:
    try:
        while (value := await _finished(next, values, _END)) is not _END:
            yield value
    finally:
        await asyncio.to_thread(_close, values)


async def _finished(step: Callable[..., T], *args: object) -> T:
    """Return what *step* returns in a thread, which is waited for also by who is cancelled."""
    running = asyncio.ensure_future(asyncio.to_thread(step, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # The thread cannot be stopped, and a generator that runs cannot be closed.
        await asyncio.wait([running])
        raise


def _close(values: Iterator[object]) -> None:
    if isinstance(values, Generator):
        cast("Generator[object, None, None]", values).close()
