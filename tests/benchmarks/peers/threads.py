"""What drivers need whose library runs in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.benchmarks.measuring import Effects

#: Each waits for one confirm at a time, on a connection of its own.
PUBLISHERS: Final = 16


class SharedEffects:
    """`Effects` that any thread may have."""

    def __init__(self, effects: Effects, expected: int) -> None:
        self._effects = effects
        self._left = expected
        self._sum = 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._expected = expected

    def add(self, number: int) -> int:
        """Take effect."""
        with self._lock:
            self._sum += number
            self._left -= 1
            is_last = not self._left
        if is_last:
            self._loop.call_soon_threadsafe(self._report)
        return number

    def _report(self) -> None:
        self._effects.add(self._sum)
        for _ in range(self._expected):
            self._effects.done()


async def pump_in_threads(count: int, send: Callable[[int], object]) -> None:
    """Call *send* with 0 to *count* - 1 from several threads, each of which makes one call at a time."""
    numbers, lock = iter(range(count)), threading.Lock()

    def sender() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            send(number)

    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(_EXECUTOR, sender) for _ in range(min(PUBLISHERS, count))))


#: The same threads for warm-up and measurement, for connections belong to threads.
_EXECUTOR: Final = ThreadPoolExecutor(PUBLISHERS)
