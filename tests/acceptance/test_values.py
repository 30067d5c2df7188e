"""Declared types cross the wire both ways, through contracts too, in both encodings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from pydantic import BaseModel

from broker_actors import Ref, actor, method
from tests.acceptance.conftest import Deployment

pytestmark = pytest.mark.embedded_first


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    x: int
    y: float


class Line(BaseModel):
    points: list[Point]
    colour: Colour = Colour.RED


class Parcel(BaseModel):
    id: UUID
    at: datetime
    day: date
    wait: timedelta
    price: Decimal
    raw: bytes
    line: Line
    tags: set[str]
    by_number: dict[int, tuple[str, Colour]]
    nothing: None = None


PARCEL = Parcel(
    id=UUID(int=7),
    at=datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC),
    day=date(2026, 2, 3),
    wait=timedelta(seconds=1.5),
    price=Decimal("1234567890.0123456789"),
    raw=bytes(range(256)),
    line=Line(points=[Point(1, 2.5)], colour=Colour.BLUE),
    tags={"a", "b"},
    by_number={1: ("one", Colour.RED)},
)


@actor(partitions=1)
class Depot:
    """Keeps the last parcel."""

    last: Parcel | None = None
    seen: dict[str, datetime]

    def __init__(self) -> None:
        self.seen = {}

    @method
    def swap(
        self, parcel: Parcel, points: list[Point], colour: Colour = Colour.RED
    ) -> tuple[Parcel | None, list[Point]]:
        before, self.last = self.last, parcel
        self.seen[str(parcel.id)] = parcel.at
        assert isinstance(colour, Colour)
        return before, [Point(p.y.__int__(), p.x) for p in points]

    @method
    def seen_at(self) -> dict[str, datetime]:
        return self.seen


class DepotRef(Depot, Ref):
    """Typed handle."""


class DepotContract(Ref, actor_type="Depot"):
    """What a service without the actor's code knows of it."""

    @method
    async def seen_at(self) -> dict[str, datetime]:
        raise NotImplementedError


@actor(partitions=1, codec="json", name="Depot")
class JsonDepot(Depot):
    """The same, in readable bodies."""


class JsonDepotRef(JsonDepot, Ref):
    """Typed handle."""


@pytest.mark.parametrize(
    ("cls", "ref_type"), [(Depot, DepotRef), (JsonDepot, JsonDepotRef)], ids=["msgpack", "json"]
)
async def test_values_of_declared_types_arrive_as_what_they_were(
    deployment: Deployment, cls: type, ref_type: type[DepotRef]
) -> None:
    system = await deployment.system()
    depot = system.ref(ref_type, "d1")
    async with deployment.worker(cls):
        assert await depot.swap(PARCEL, [Point(1, 2.0)], Colour.BLUE) == (None, [Point(2, 1.0)])
    async with deployment.worker(cls):
        before, points = await depot.swap(PARCEL, [])
        assert (before, points) == (PARCEL, [])
        assert await depot.seen_at() == {str(PARCEL.id): PARCEL.at}


async def test_a_contract_calls_an_actor_whose_code_it_does_not_have(deployment: Deployment) -> None:
    system, service = await deployment.system(), await deployment.system()
    async with deployment.worker(Depot):
        await system.ref(DepotRef, "d1").swap(PARCEL, [])
        assert await service.ref(DepotContract, "d1").seen_at() == {str(PARCEL.id): PARCEL.at}
