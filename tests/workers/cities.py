"""A durable flow with rounds beside each other, items in them, and a ledger of what they have done."""

# pyright: reportUnusedExpression=false

from __future__ import annotations

from typing import Any, ClassVar

from broker_actors import Ref, actor, method, turn
from broker_actors.flow import BaseNode, DurableFlow, Flow, Node, ParallelBatchFlow, ParallelBatchNode

Shared = dict[str, Any]
CITIES = ["a", "b", "c"]
ROOMS = [1, 2]


@actor(partitions=1)
class Ledger:
    """Counts."""

    entries: dict[str, int]

    def __init__(self) -> None:
        self.entries = {}

    @method
    def enter(self, what: str) -> None:
        """Count *what*."""
        self.entries[what] = self.entries.get(what, 0) + 1

    @method
    def all(self) -> dict[str, int]:
        """Return how often each was."""
        return self.entries


class LedgerRef(Ledger, Ref): ...


async def enter(what: str) -> None:
    await turn.current().ref(LedgerRef, "l").enter.tell(what)


class Tour(ParallelBatchFlow):
    def prep(self, shared: Shared) -> list[Shared]:  # noqa: ARG002 - as every flow
        return [{"city": city} for city in CITIES]

    async def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:  # noqa: ARG002 - as every flow
        await enter("tour")


class Arrive(Node):
    def prep(self, shared: Shared) -> str:  # noqa: ARG002 - as every node
        return str(self.params["city"])

    async def exec(self, prep_res: str) -> str:
        await enter(f"arrived in {prep_res}")
        return prep_res

    def post(self, shared: Shared, prep_res: str, exec_res: str) -> None:  # noqa: ARG002 - as every node
        shared["arrived"] = shared.get("arrived", 0) + 1


class Rooms(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:  # noqa: ARG002 - as every node
        return ROOMS

    async def exec(self, prep_res: int) -> str:
        room = f"{self.params['city']}{prep_res}"
        await enter(f"room {room}")
        return room

    async def post(self, shared: Shared, prep_res: object, exec_res: list[str]) -> None:  # noqa: ARG002 - as every node
        await enter(f"rooms in {self.params['city']}")
        shared.setdefault("rooms", {})[self.params["city"]] = exec_res


def tour() -> Flow:
    """Return the flow: two cities at a time, all rooms of one at once."""
    arrive = Arrive()
    arrive >> Rooms()
    return Flow(Tour(arrive, concurrency=2))


@actor(partitions=2)
class Journey(DurableFlow):
    flow: ClassVar[BaseNode] = tour()


class JourneyRef(Journey, Ref): ...
