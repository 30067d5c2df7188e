"""What drivers need whose library runs in threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tests.benchmarks.job import Job
from tests.benchmarks.latency import TIMES, TOGETHER, check, found
from tests.benchmarks.measuring import Effects, Measured, Signals

#: Each waits for one confirm at a time, on a connection of its own.
PUBLISHERS: Final = 16
#: Threads that make asks, each with a tenth of those under way.
CALLERS: Final = 10

Sent = TypeVar("Sent")


class SharedEffects:
    """`Effects` that any thread may have."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._left = effects.expected
        self._sum = 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()

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
        for _ in range(self._effects.expected):
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


async def measure_asks_in_threads(
    job: Job, signals: Signals, send: Callable[[int], Sent], answer: Callable[[Sent], object]
) -> dict[str, float]:
    """Do what `measure_asks` does with a library that blocks: *send*, and wait in *answer*."""

    def one(n: int) -> float:
        began_seconds = time.perf_counter()
        check(n, answer(send(n)))
        return time.perf_counter() - began_seconds

    def window(numbers: range) -> None:
        under_way: deque[tuple[int, Sent]] = deque()
        for n in numbers:
            if len(under_way) == TOGETHER // CALLERS:
                first, sent = under_way.popleft()
                check(first, answer(sent))
            under_way.append((n, send(n)))
        for n, sent in under_way:
            check(n, answer(sent))

    async def together(count: int) -> None:
        parts = (range(first, count, CALLERS) for first in range(CALLERS))
        await asyncio.gather(*(loop.run_in_executor(_EXECUTOR, window, part) for part in parts))

    def alone(count: int) -> list[float]:
        return [one(n) for n in range(count)]

    loop = asyncio.get_running_loop()
    await together(job.warm_up)
    await loop.run_in_executor(_EXECUTOR, alone, job.warm_up)
    signals.ready()
    await signals.go()
    with Measured(job.profile) as measured_alone:
        latencies_seconds = await loop.run_in_executor(_EXECUTOR, alone, job.messages)
    with Measured("") as measured_together:
        await together(job.messages * TIMES)
    return found(job, latencies_seconds, measured_alone, measured_together)


#: The same threads for warm-up and measurement, for connections belong to threads.
_EXECUTOR: Final = ThreadPoolExecutor(PUBLISHERS)
