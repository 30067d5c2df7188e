"""A desk that asks a back office, which takes its time."""

import asyncio

from broker_actors import Ref, actor, method, turn

STOPPED: list[str] = []  # what the world outside of the actors has seen


@actor
class Office:
    """Answers slowly."""

    searches: int = 0

    @method
    async def search(self, what: str) -> str:
        self.searches += 1
        try:
            await asyncio.sleep(60)
        finally:
            STOPPED.append(what)
        return what

    @method
    def count(self) -> int:
        return self.searches


class OfficeRef(Office, Ref):
    """A typed handle."""


@actor
class Desk:
    """Passes questions on."""

    @method
    async def search(self, what: str) -> str:
        return await turn.current().ref(OfficeRef, "back").search(what)


class DeskRef(Desk, Ref):
    """A typed handle."""
