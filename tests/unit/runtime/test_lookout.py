"""A worker that compares what it knew with another run of its store: bounded, once, and until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.core.past import Known, Past
from broker_actors.ports.origins import PASTS_READ_MAX
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.lookout import Lookout
from broker_actors.runtime.services import Services


class Store(MemoryStore):
    """A store that is another run whenever it is told to be, and may be away."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.asked: list[int] = []
        self.is_away = False
        self.reads_left = 1_000

    def restart(self) -> None:
        self._origin += "'"

    async def origin(self) -> str:
        if self.is_away:
            raise StoreUnavailableError("no answer")
        return await super().origin()

    async def pasts(self, addresses: Sequence[Address]) -> Sequence[Past]:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise StoreUnavailableError("no answer")
        self.asked.append(len(addresses))
        return [Past(7, int(one.id[1:])) for one in addresses]


class Residents:
    """The part of a directory that a lookout has to do with: what was known, and compared with what."""

    def __init__(self, actors: Sequence[Address]) -> None:
        self.actors = actors
        self.compared: list[tuple[Address, Known, Past]] = []

    def known(self) -> dict[Address, Known]:
        return {one: Known(5, int(one.id[1:])) for one in self.actors}

    def compare(self, address: Address, known: Known, past: Past) -> None:
        self.compared.append((address, known, past))


class House:
    """A worker's host, as a lookout sees it, with a look from outside."""

    def __init__(self, count: int = 3) -> None:
        self.store = Store()
        self.actors = [Address("Counter", f"c{n}") for n in range(count)]
        self.known = Residents([])
        self.directory = cast("Directory", self.known)
        self.events: list[Event] = []
        self.let_go_count = 0
        observer = SimpleNamespace(observe=self.events.append)
        services = SimpleNamespace(store=self.store, clock=SystemClock(), observer=observer)
        self.lookout = Lookout(cast("Services", services), self)

    async def begin(self) -> None:
        """Look before anything is known, as every worker does."""
        await self.lookout.look()
        self.known.actors = self.actors
        self.let_go_count = 0

    def let_go(self) -> None:
        self.let_go_count += 1


async def test_the_same_run_costs_nothing_but_the_look() -> None:
    house = House()
    await house.begin()
    await house.lookout.look()
    assert (house.let_go_count, house.store.asked, house.known.compared) == (0, [], [])


async def test_everything_that_is_known_is_compared_with_another_run_once() -> None:
    house = House()
    await house.begin()
    house.store.restart()
    await house.lookout.look()
    await house.lookout.look()
    expected = [(one, Known(5, n), Past(7, n)) for n, one in enumerate(house.actors)]
    assert (house.let_go_count, house.store.asked, house.known.compared) == (1, [3], expected)


async def test_what_is_known_is_compared_in_pages() -> None:
    house = House(2 * PASTS_READ_MAX + 1)
    await house.begin()
    house.store.restart()
    await house.lookout.look()
    assert house.store.asked == [PASTS_READ_MAX, PASTS_READ_MAX, 1]


async def test_what_could_not_be_compared_is_compared_with_the_next_look() -> None:
    house = House(2 * PASTS_READ_MAX)
    await house.begin()
    house.store.restart()
    house.store.reads_left = 1
    await house.lookout.look()
    assert len(house.known.compared) == PASTS_READ_MAX
    house.store.reads_left = 1_000
    await house.lookout.look()
    assert [address for address, *_ in house.known.compared] == house.actors
    assert (house.let_go_count, house.store.asked) == (1, [PASTS_READ_MAX, PASTS_READ_MAX])


async def test_a_store_that_is_away_is_said_once_until_it_is_back() -> None:
    house = House()
    await house.begin()
    for _ in range(2):
        house.store.is_away = True
        await house.lookout.look()
        await house.lookout.look()
        house.store.is_away = False
        await house.lookout.look()
    assert [type(event) for event in house.events] == [Trouble, Trouble]
    assert house.let_go_count == 0


async def test_what_is_known_before_anything_could_be_looked_at_is_compared() -> None:
    house = House()
    house.store.is_away = True
    await house.lookout.look()
    house.known.actors = house.actors
    house.store.is_away = False
    await house.lookout.look()
    assert (house.let_go_count, len(house.known.compared)) == (1, len(house.actors))
