"""The loop of the simulation: nodes die and freeze, time is virtual, order is the seed's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context

import pytest

from tests.simulation.loop import NODE, SimLoop, StuckError
from tests.simulation.world import dice


def test_time_is_virtual_and_the_same_seed_gives_the_same_order() -> None:
    def played(seed: str) -> list[str]:
        loop, said = SimLoop(dice(seed)), list[str]()

        async def say() -> None:
            for _ in range(5):
                said.append(f"{NODE.get()} {asyncio.get_running_loop().time()}")
                await asyncio.sleep(0)

        async def main() -> None:
            loop.spawn("a", say())
            loop.spawn("b", say())
            await asyncio.sleep(3_600)
            said.append(str(asyncio.get_running_loop().time()))

        loop.run(main())
        return said

    assert played("one") == played("one")
    assert played("one") != played("three")
    assert played("one")[-1] == "3600.0"


def test_steps_of_one_node_run_first_in_first_out() -> None:
    loop, said = SimLoop(dice("1")), list[int]()

    async def main() -> None:
        for n in range(20):
            asyncio.get_running_loop().call_soon(said.append, n)
        await asyncio.sleep(1)

    loop.run(main())
    assert said == list(range(20))


def test_nothing_of_a_crashed_node_ever_runs_not_even_its_finally() -> None:
    loop, said = SimLoop(dice("1")), list[str]()

    async def node() -> None:
        try:
            await asyncio.sleep(1)
            said.append("woke")
        finally:
            if not loop.over:
                said.append("finally")

    async def main() -> None:
        loop.spawn("a", node())
        await asyncio.sleep(0.5)
        loop.crash("a")
        await asyncio.sleep(10)

    loop.run(main())
    assert said == []


def test_a_generator_that_nobody_ends_is_ended_with_its_seed_and_says_nothing() -> None:
    loop, ended = SimLoop(dice("1")), list[bool]()

    async def values() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append(loop.over)
            await asyncio.sleep(1)

    async def look() -> None:
        async for _ in values():
            break
        await asyncio.sleep(1)
        assert not ended, "a process that has crashed does nothing when it is collected"

    loop.run(look())
    assert ended == [True]


def test_a_frozen_node_does_late_what_it_was_to_do() -> None:
    loop, said = SimLoop(dice("1")), list[float]()

    async def node() -> None:
        await asyncio.sleep(1)
        said.append(asyncio.get_running_loop().time())

    async def main() -> None:
        loop.spawn("a", node())
        await asyncio.sleep(0.5)
        loop.freeze("a")
        await asyncio.sleep(10)
        loop.thaw("a")
        await asyncio.sleep(1)

    loop.run(main())
    assert said == [10.5]


def test_a_step_belongs_to_the_node_of_its_context_also_of_an_empty_one() -> None:
    loop, said = SimLoop(dice("1")), list[str]()

    async def node() -> None:
        asyncio.get_running_loop().call_soon(lambda: said.append(NODE.get()), context=Context())

    async def main() -> None:
        loop.spawn("a", node())
        await asyncio.sleep(1)

    loop.run(main())
    assert said == ["world"]


def test_a_seed_that_waits_for_nothing_is_told_from_one_that_goes_on() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError, match="nothing is left"):
        SimLoop(dice("1")).run(main())
