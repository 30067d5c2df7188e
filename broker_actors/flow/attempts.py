"""Attempts at `exec`: how often, how long between them, and which one this is.

Invariant: the counter of an attempt belongs to the item it is made for. Items that run beside each
other do not see or change the counters of one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import ClassVar, Final

from broker_actors.flow.graph import Many, Value, Visit

#: Whose attempt this task makes, and which it is.
_attempt: Final[ContextVar[tuple[Attempts, int] | None]] = ContextVar("broker_actors_attempt", default=None)


class Attempts:
    """What nodes have whose `exec` is tried again when it fails.

    Attributes:
        max_retries: attempts in all; 0 means that `exec` is not called.
        wait: seconds between two attempts.
        concurrency: items that run beside each other, if any do; None for 1,000, and in a durable flow for 8.
        timeout: seconds one attempt of an async `exec` may take; None for any time.

    """

    many: ClassVar[Many]
    concurrency: int | None = None
    timeout: float | None = None
    _last: int = 0

    def __init__(self, max_retries: int = 1, wait: float = 0) -> None:
        super().__init__()
        self.max_retries = max_retries
        self.wait = wait

    @property
    def cur_retry(self) -> int:
        """Which attempt this is, from 0; afterwards, which was the last."""
        mine = _attempt.get()
        return mine[1] if mine is not None and mine[0] is self else self._last

    async def perform(self, visit: Visit, prep_res: Value) -> Value:
        """Return the result of `exec`, or its results in the order of the items, with retries of each."""
        match self.many:
            case Many.ONE:
                return await self.tried(visit, prep_res)
            case Many.IN_ORDER:
                return [await self.tried(visit, item) for item in self.items(prep_res)]
            case Many.PARALLEL:
                items = self.items(prep_res)
                return await visit.pace.each(lambda item: self.tried(visit, item), items, self.concurrency)

    def items(self, prep_res: Value) -> Iterable[Value]:
        """Return the items of a batch: none if `prep` returned None."""
        return prep_res or ()

    async def tried(self, visit: Visit, prep_res: Value) -> Value:
        """Return what `exec` makes of *prep_res* at the latest attempt, or what stands in for it."""
        for attempt in range(self.max_retries):
            with self.attempting(attempt):
                try:
                    return await self.tried_once(visit, prep_res)
                except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
                    if attempt == self.max_retries - 1:
                        return await visit.pace.value(visit.hooks.fallback(prep_res, error))
            if self.wait > 0:
                await visit.pace.sleep(self.wait)
        return None

    async def tried_once(self, visit: Visit, prep_res: Value) -> Value:
        """Return what `exec` makes of *prep_res*.

        Raises:
            TimeoutError: it took longer than `timeout`.
            Exception: whatever `exec` raises.

        """
        limited = self.timeout is not None and visit.pace.waits
        async with asyncio.timeout(self.timeout) if limited else nullcontext():
            return await visit.pace.value(visit.hooks.exec(prep_res))

    @contextmanager
    def attempting(self, attempt: int) -> Generator[None, None, None]:
        """Let `cur_retry` be *attempt* for what runs in the block, and remember it afterwards."""
        self._last = attempt
        token = _attempt.set((self, attempt))
        try:
            yield
        finally:
            _attempt.reset(token)
