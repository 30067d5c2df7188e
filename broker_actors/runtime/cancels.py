"""Asks that their callers gave up before their deadline: what runs of them ends, what waits does not run.

A hint, like every signal: one that is lost costs the time until the deadline. Invariant:
what is remembered is bounded; what is forgotten runs to its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from broker_actors.core.envelope import Envelope

#: Calls that are remembered: those that wait in this worker, or are still on their way to it.
REMEMBERED_MAX: Final = 10_000


class Cancels:
    """What one worker knows of calls that were given up."""

    def __init__(self) -> None:
        # A dict for its order: the oldest is forgotten first.
        self._given_up: dict[str, None] = {}
        self._running: dict[str, asyncio.Timeout] = {}

    def cancel(self, call: str) -> None:
        """Take note that nobody waits for *call* any more. Idempotent."""
        self._given_up[call] = None
        if len(self._given_up) > REMEMBERED_MAX:
            del self._given_up[next(iter(self._given_up))]
        if (running := self._running.get(call)) is not None:
            running.reschedule(asyncio.get_running_loop().time())

    def has(self, envelope: Envelope) -> bool:
        """Return whether the caller of *envelope* has given it up."""
        return bool(self._given_up) and envelope.is_ask and envelope.call in self._given_up

    @contextmanager
    def watching(self, envelope: Envelope, until: asyncio.Timeout) -> Generator[None]:
        """Have *until*, which is entered, end when the caller of *envelope* gives it up."""
        self._running[envelope.call] = until
        if self.has(envelope):
            until.reschedule(asyncio.get_running_loop().time())
        try:
            yield
        finally:
            # Another copy of it, of an actor that interleaves, waits until this one has ended.
            self._running.pop(envelope.call, None)
