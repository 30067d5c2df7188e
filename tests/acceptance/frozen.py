"""An actor whose worker is frozen in the middle of a turn, in a module a worker process can be given."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from broker_actors import Ref, actor, method, turn
from tests.acceptance.doomed_till import Witness, WitnessRef

__all__ = ["Frozen", "Witness"]

#: Set in the worker that is to be frozen: its turn goes on when something comes out of this pipe.
FROZEN = "BROKER_ACTORS_TEST_FROZEN"


@actor(partitions=1)
class Frozen:
    """Adds one, and says where it is."""

    count: int = 0

    @method
    async def add(self) -> int:
        if place := os.environ.get(FROZEN):
            _say("begun")
            await asyncio.to_thread(Path(place).read_text)
            _say("goes on")
        self.count += 1
        await turn.current().ref(WitnessRef, "w1").see.tell()
        return self.count

    @method
    def total(self) -> int:
        return self.count

    @method
    def where(self) -> int:
        return os.getpid()


class FrozenRef(Frozen, Ref):
    """Typed handle."""


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
