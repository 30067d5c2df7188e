"""Every event of an embedded system, for tests to look at and to wait for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from broker_actors.core.events import Event

E = TypeVar("E")


class EventMissingError(AssertionError):
    """The awaited event did not happen in time; the text says what did."""


class Recording:
    """Keeps every event and wakes whoever waits for one. Implements `ports.observer.Observer`."""

    def __init__(self) -> None:
        #: What happened so far, oldest first.
        self.events: list[Event] = []
        self._happened = asyncio.Event()

    def observe(self, event: Event) -> None:
        """Keep *event*."""
        self.events.append(event)
        # Waiters keep the old one, which stays set; whoever comes later waits for the new one.
        self._happened.set()
        self._happened = asyncio.Event()

    async def wait_for(
        self, kind: type[E], matches: Callable[[E], bool], *, count: int, timeout_seconds: float
    ) -> E:
        """Return the event of *kind* that is the *count*-th to match, past or to come.

        Raises:
            EventMissingError: it did not happen in time.

        """
        found: list[E] = []
        try:
            async with asyncio.timeout(timeout_seconds):
                while len(found := self._found(kind, matches)) < count:
                    await self._happened.wait()
        except TimeoutError:
            happened = ", ".join(f"{name} x {n}" for name, n in self._kinds().items()) or "nothing"
            text = (
                f"{len(found)} of {count} matching {kind.__name__} within {timeout_seconds:g} s; "
                f"what happened: {happened}"
            )
            raise EventMissingError(text) from None
        return found[count - 1]

    def _found(self, kind: type[E], matches: Callable[[E], bool]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and matches(event)]

    def _kinds(self) -> dict[str, int]:
        return Counter(type(event).__name__ for event in self.events)
