"""An actor with sections whose worker is killed, in a module a worker process can be given."""

from __future__ import annotations

import asyncio
import os

from broker_actors import Ref, actor, method, turn

#: Set in a worker that is to be killed.
DOOMED = "BROKER_ACTORS_TEST_DOOMED"


@actor(partitions=1)
class DoomedTill:
    """Adds in two sections; a doomed worker stays where it is told to."""

    money: int = 0
    reached: str = ""

    @method
    def where(self) -> str:
        return self.reached

    @method
    def total(self) -> int:
        return self.money

    @method.options(interleave=True)
    async def add_twice(self, stay: str) -> int:
        async with turn():
            self.money += 1
            self.reached = "between"
        if stay == "between" and DOOMED in os.environ:
            await asyncio.Event().wait()
        async with turn():
            self.money += 10
            self.reached = "inside"
            if stay == "inside" and DOOMED in os.environ:
                # Nothing it wrote is committed: nobody can read that it is here.
                await turn.current().ref(WitnessRef, "w1").see()
                await asyncio.Event().wait()
        return self.money


@actor(partitions=1)
class Witness:
    """Is told where the other one is."""

    seen: int = 0

    @method
    def see(self) -> None:
        self.seen += 1

    @method
    def times(self) -> int:
        return self.seen


class DoomedTillRef(DoomedTill, Ref):
    """Typed handle."""


class WitnessRef(Witness, Ref):
    """Typed handle."""
