"""Actors that have failed and rest before their next turn.

Invariant: a lane that is held has a timer that releases it, or has been released by what
ends the wait: the loss of its mailbox, or the end of the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from broker_actors.core.address import Address
from broker_actors.ports.clock import Clock


class Held(Protocol):
    """The lanes, as far as they can be held."""

    def hold(self, address: Address) -> None:
        """Let nothing of the lane of *address* begin until it is released."""
        ...

    def release(self, address: Address) -> None:
        """Let the lane of *address* begin again."""
        ...


class Rests:
    """Those of one worker. At most one timer an actor, and only of actors whose turn has just failed."""

    def __init__(self, clock: Clock, lanes: Held, start: Callable[[], None]) -> None:
        self._clock = clock
        self._lanes = lanes
        self._start = start
        self._timers: dict[Address, asyncio.Task[None]] = {}

    def begin(self, address: Address, seconds: float) -> None:
        """Let no turn of *address* begin for so long."""
        self.end(address)
        self._lanes.hold(address)
        self._timers[address] = asyncio.create_task(self._ring(address, seconds))

    def end(self, address: Address) -> None:
        """Let *address* go on. Idempotent."""
        timer = self._timers.pop(address, None)
        if timer is not None:
            timer.cancel()
            self._lanes.release(address)
            self._start()

    async def close(self) -> None:
        """Cancel the timers. Idempotent."""
        timers = list(self._timers.values())
        self._timers.clear()
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    async def _ring(self, address: Address, seconds: float) -> None:
        await self._clock.sleep(seconds)
        del self._timers[address]
        self._lanes.release(address)
        self._start()
