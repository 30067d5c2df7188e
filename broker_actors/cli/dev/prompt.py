"""Lines from stdin, without holding up the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Final

from broker_actors.cli.output import OUT

_STDIN: Final = 0
_READ_BYTES: Final = 65_536
#: Lines read ahead.
_AHEAD_MAX: Final = 100
#: A line that is longer was not typed.
LINE_BYTES_MAX: Final = 1_048_576


def is_typed() -> bool:
    """Return whether a person types the lines."""
    return os.isatty(_STDIN)


async def lines(prompt: str) -> AsyncGenerator[str]:
    """Yield the lines of stdin until it ends; *prompt* is shown if a person types them.

    A thread reads the descriptor, as the loop cannot wait for a file; not `sys.stdin`, whose lock
    such a thread would hold when the interpreter ends.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD_MAX)
    loop = asyncio.get_running_loop()
    is_person = is_typed()

    def read() -> None:
        # The loop is closed when nobody wants to read any more.
        with suppress(RuntimeError):
            for line in _lines():
                room.acquire()
                loop.call_soon_threadsafe(queue.put_nowait, line)
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, name="broker-actors-prompt", daemon=True).start()
    while True:
        if is_person:
            OUT.print(prompt, end="")
        line = await queue.get()
        if line is None:
            return
        room.release()
        yield line.decode(errors="replace")


def _lines() -> Iterator[bytes]:
    left = b""
    while chunk := os.read(_STDIN, _READ_BYTES):
        *full, left = (left + chunk).split(b"\n")
        yield from full
        if len(left) > LINE_BYTES_MAX:
            yield left
            left = b""
    if left:
        yield left
