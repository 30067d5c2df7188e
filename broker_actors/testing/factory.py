"""Kits for one test, closed when the test ends."""

from __future__ import annotations

from contextlib import AsyncExitStack

from broker_actors.ports.clock import Clock
from broker_actors.settings import Settings
from broker_actors.testing.kit import ActorKit, actor_test


class Actors:
    """What the fixture `actors` is: `kit = await actors(Counter)`."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(
        self, *actors: type, settings: Settings | None = None, clock: Clock | None = None
    ) -> ActorKit:
        """Run *actors* on a broker and a store of their own until the test ends; see `actor_test`."""
        return await self._stack.enter_async_context(actor_test(*actors, settings=settings, clock=clock))
