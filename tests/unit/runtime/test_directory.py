"""What looking for those beyond the cap costs, and that they are found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Final, cast

from broker_actors.adapters.clock import SystemClock
from broker_actors.core.address import Address
from broker_actors.dispatch import Dispatch
from broker_actors.runtime.directory import SURPLUS_PER_TURN, Directory
from broker_actors.runtime.services import Services

CAP: Final = 10
MANY: Final = 2_000


def directory() -> Directory:
    """Return one whose actors keep no state, as theirs is a type nobody declared."""
    services = SimpleNamespace(clock=SystemClock(), dispatch=cast("Dispatch", None))
    return Directory(cast("Services", services), {}, CAP)


def actor(n: int) -> Address:
    return Address("Agent", f"a{n}")


async def turn(living: Directory, n: int) -> list[Address]:
    """Begin a turn of actor *n*, as a worker does; return who is asked to leave."""
    activation = await living.activate(actor(n), "actors.Agent.g1.0")
    assert activation is not None
    activation.begin()
    return living.surplus()


async def test_a_turn_looks_at_a_few_of_those_beyond_the_cap_however_many_there_are() -> None:
    living = directory()
    # Given that all of them work, so that nobody leaves
    looked_at = [len(await turn(living, n)) for n in range(MANY)]
    # Then thousands beyond the cap are not gone through again and again
    assert len(living) == MANY
    assert sum(looked_at) <= (SURPLUS_PER_TURN + 1) * MANY
    # And a turn more of those who are live costs no more than that, either
    again = [len(await turn(living, n)) for n in range(MANY)]
    assert sum(again) <= (SURPLUS_PER_TURN + 1) * MANY


async def test_those_beyond_the_cap_are_found_again_and_again_the_least_recently_used_first() -> None:
    living = directory()
    for n in range(MANY):
        await turn(living, n)
    # Given one that was used again
    found = await turn(living, 0)
    turns = 1
    while not found:
        found = await turn(living, 0)
        turns += 1
    assert turns <= MANY // SURPLUS_PER_TURN + 1
    assert found == [actor(n) for n in range(1, MANY - CAP + 1)]


async def test_a_few_beyond_the_cap_are_found_with_each_turn() -> None:
    living = directory()
    for n in range(CAP):
        assert await turn(living, n) == []
    for n in range(CAP, CAP + MANY):
        [leaves] = await turn(living, n)
        assert leaves == actor(n - CAP)
        await living.passivate(leaves)
    assert len(living) == CAP
