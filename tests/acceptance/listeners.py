"""Actors that are called together: they answer, refuse, hang, and note what they were told."""

from __future__ import annotations

from collections.abc import Iterator

from broker_actors import ActorSystem, BusinessError, Ref, actor, method, turn
from broker_actors.patterns import broadcast
from tests.acceptance.gate import Gate


class Listener(Ref):
    """As its callers see it."""

    @method
    async def hear(self, word: str) -> str:
        raise NotImplementedError

    @method
    async def linger(self, word: str) -> str:
        raise NotImplementedError

    @method
    async def heard(self) -> list[str]:
        raise NotImplementedError


class Crier(Ref):
    """An actor that broadcasts in its turns."""

    @method
    async def cry(self, listeners: list[str], word: str, *, fails: bool) -> int:
        raise NotImplementedError

    @method
    async def poll(self, listeners: list[str], word: str) -> list[str]:
        raise NotImplementedError


def listener(gate: Gate) -> type:
    """Return the actor class; whoever lingers does so in *gate*."""

    @actor(partitions=2, name="Listener")
    class Hearing:
        words: list[str]

        def __init__(self) -> None:
            self.words = []

        @method
        def hear(self, word: str) -> str:
            who = turn.current().actor_id
            if who.startswith("deaf"):
                raise BusinessError("deaf", f"{who} hears nothing")
            self.words.append(word)
            return f"{who}: {word}"

        @method
        async def linger(self, word: str) -> str:
            who = turn.current().actor_id
            if not who.startswith("quick"):
                async with gate.passing():
                    pass
            return f"{who}: {word}"

        @method
        def heard(self) -> list[str]:
            return self.words

    return Hearing


@actor(partitions=1, name="Crier")
class Crying:
    """Calls listeners from inside its turns."""

    cried: int = 0

    @method
    async def cry(self, listeners: list[str], word: str, *, fails: bool) -> int:
        outcomes = await broadcast(_of_turn(listeners)).tell(Listener.hear, word)
        self.cried += len(outcomes.ok)
        if fails:
            raise BusinessError("hoarse")
        return self.cried

    @method
    async def poll(self, listeners: list[str], word: str) -> list[str]:
        return (await broadcast(_of_turn(listeners)).ask(Listener.hear, word)).values()


def _of_turn(ids: list[str]) -> list[Listener]:
    return [turn.current().ref(Listener, actor_id) for actor_id in ids]


def listeners(system: ActorSystem, *ids: str) -> list[Listener]:
    """Return refs."""
    return [system.ref(Listener, actor_id) for actor_id in ids]


def numbered(count: int, name: str = "l") -> Iterator[str]:
    """Return so many ids."""
    return (f"{name}{n}" for n in range(count))
