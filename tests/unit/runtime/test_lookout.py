"""A worker that compares what it knew with another run of its store: bounded, once, and until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.ports.origins import VERSIONS_READ_MAX
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.lookout import Lookout
from broker_actors.runtime.services import Services


class Store(MemoryStore):
    """A store that is another run whenever it is told to be, and may be away."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.asked: list[int] = []
        self.known: dict[Address, int] = {}
        self.is_away = False
        self.reads_left = 1_000

    def restart(self) -> None:
        self._origin += "'"

    async def origin(self) -> str:
        if self.is_away:
            raise StoreUnavailableError("no answer")
        return await super().origin()

    async def versions(self, addresses: Sequence[Address]) -> Sequence[int]:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise StoreUnavailableError("no answer")
        self.asked.append(len(addresses))
        return [self.known.get(one, 0) for one in addresses]


class Known:
    """The part of a directory that a lookout has to do with: what was known, and what was said."""

    def __init__(self, versions: dict[Address, int]) -> None:
        self.versions = versions
        self.said: list[tuple[Address, int, int]] = []
        self.renewals: list[Address] = []
        self.is_claimed_here = False

    def known(self) -> dict[Address, int]:
        return dict(self.versions)

    def went_back(self, address: Address, version: int, found: int) -> bool:
        self.said.append((address, version, found))
        return not self.is_claimed_here

    def renewed(self, address: Address, _version: int) -> None:
        self.renewals.append(address)


class House:
    """A worker's host, as a lookout sees it, with a look from outside."""

    def __init__(self, count: int = 3) -> None:
        self.store = Store()
        self.actors = [Address("Counter", f"c{n}") for n in range(count)]
        self.store.known = dict.fromkeys(self.actors, 2)
        self.known = Known(dict.fromkeys(self.actors, 2))
        self.directory = cast("Directory", self.known)
        self.events: list[Event] = []
        self.let_go_count = 0
        observer = SimpleNamespace(observe=self.events.append)
        services = SimpleNamespace(store=self.store, clock=SystemClock(), observer=observer)
        self.lookout = Lookout(cast("Services", services), self)

    def let_go(self) -> None:
        self.let_go_count += 1


async def test_the_same_run_costs_nothing_but_the_look() -> None:
    house = House()
    await house.lookout.look()
    await house.lookout.look()
    assert (house.let_go_count, house.store.asked, house.known.said) == (0, [], [])


async def test_another_run_with_everything_is_compared_once_and_nothing_is_said() -> None:
    house = House()
    await house.lookout.look()
    house.store.restart()
    await house.lookout.look()
    await house.lookout.look()
    assert (house.let_go_count, house.store.asked, house.known.said) == (1, [3], [])


async def test_what_is_lower_is_said_and_becomes_a_new_sender() -> None:
    house = House()
    lost, *_ = house.actors
    await house.lookout.look()
    house.store.known[lost] = 1
    house.store.restart()
    await house.lookout.look()
    assert (house.known.said, house.known.renewals) == ([(lost, 2, 1)], [lost])
    claim = await house.store.claim(lost, "next")
    # One more commit than before: that of the new sender.
    assert claim.version == 1


async def test_what_was_claimed_here_since_is_not_claimed_again() -> None:
    house = House()
    house.known.is_claimed_here = True
    await house.lookout.look()
    house.store.known.clear()
    house.store.restart()
    await house.lookout.look()
    assert len(house.known.said) == len(house.actors)
    assert house.known.renewals == []


async def test_versions_are_compared_in_pages() -> None:
    house = House(2 * VERSIONS_READ_MAX + 1)
    await house.lookout.look()
    house.store.restart()
    await house.lookout.look()
    assert house.store.asked == [VERSIONS_READ_MAX, VERSIONS_READ_MAX, 1]


async def test_what_could_not_be_compared_is_compared_with_the_next_look() -> None:
    house = House(2 * VERSIONS_READ_MAX)
    last = house.actors[-1]
    house.store.known[last] = 1
    await house.lookout.look()
    house.store.restart()
    house.store.reads_left = 1
    await house.lookout.look()
    assert house.known.said == []
    house.store.reads_left = 1_000
    await house.lookout.look()
    assert [address for address, *_ in house.known.said] == [last]
    assert (house.let_go_count, house.store.asked) == (1, [VERSIONS_READ_MAX, VERSIONS_READ_MAX])


async def test_an_actor_that_somebody_takes_meanwhile_becomes_a_new_sender_with_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(1)
    (lost,) = house.actors
    right = house.store.claim
    await house.lookout.look()
    house.store.known[lost] = 1
    house.store.restart()

    async def claim(address: Address, nonce: str) -> object:
        mine = await right(address, nonce)
        await right(address, "somebody")
        return mine

    with monkeypatch.context() as patching:
        patching.setattr(house.store, "claim", claim)
        await house.lookout.look()
    assert house.known.renewals == []
    assert [type(event) for event in house.events] == [Trouble]
    await house.lookout.look()
    assert house.known.renewals == [lost]


async def test_a_store_that_is_away_is_said_once_until_it_is_back() -> None:
    house = House()
    await house.lookout.look()
    for _ in range(2):
        house.store.is_away = True
        await house.lookout.look()
        await house.lookout.look()
        house.store.is_away = False
        await house.lookout.look()
    assert [type(event) for event in house.events] == [Trouble, Trouble]
    assert house.let_go_count == 0
