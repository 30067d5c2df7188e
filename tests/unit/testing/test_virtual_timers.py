"""Timers, in virtual time: turns of a live actor, and gone with it."""

from __future__ import annotations

import pytest

from broker_actors import BusinessError, InvalidArgumentsError
from broker_actors.core.errors import ConfigurationError
from broker_actors.runtime.timers import TIMERS_MAX
from broker_actors.testing import VirtualClock, actor_test
from tests.acceptance.pulse import Pulse, PulseRef, Sensor, SensorRef


async def test_it_rings_until_it_is_stopped() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        await pulse.begin("a", 10)
        await pulse.begin("b", 25)
        await kit.advance(101)
        assert await pulse.counted() == {"a": 10, "b": 4}
        await pulse.end("a")
        await kit.advance(100)
        assert await pulse.counted() == {"a": 10, "b": 8}


async def test_it_is_gone_with_the_activation_that_set_it() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        await pulse.begin("a", 10)
        await kit.advance(55)
        await kit.restart()
        await kit.advance(100)
        assert await pulse.total() == 5
        await pulse.begin("a", 10)
        await kit.advance(3600)
        beats = await pulse.total()
        assert 5 + 29 <= beats <= 5 + 31, "it does not keep an idle actor in memory"


async def test_what_it_does_is_committed() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        await kit.ref(PulseRef, "p1").begin("a", 10)
        await kit.advance(35)
        await kit.restart()
        assert await kit.ref(PulseRef, "p1").counted() == {"a": 3}


async def test_a_turn_that_fails_starts_none() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        with pytest.raises(BusinessError):
            await pulse.begin_and_fail(10)
        await kit.advance(100)
        assert await pulse.total() == 0


async def test_a_tick_that_fails_is_neither_tried_again_nor_buried_and_the_next_one_comes() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        await kit.ref(PulseRef, "p1").stumble_every(10)
        await kit.advance(35)
        ended = [(turn.outcome, turn.attempt) for turn in kit.turns if turn.method == "stumble"]
        assert ended == [("fault", 1)] * 3
        assert await kit.dead_letters(Pulse) == []


async def test_a_tick_may_stop_its_own_timer() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        await pulse.begin_thrice(10)
        await kit.advance(100)
        assert await pulse.total() == 3


async def test_a_tick_never_overlaps_another_turn() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        await pulse.beat_slowly_every(0.01)
        for _ in range(30):
            await kit.advance(0.01)
            await pulse.total()
        assert await pulse.overlaps() == 0
        assert await pulse.total() > 5


async def test_one_started_in_activate_runs_whenever_the_actor_is_in_memory() -> None:
    async with actor_test(Sensor, clock=VirtualClock()) as kit:
        sensor = kit.ref(SensorRef, "s1")
        assert await sensor.read() == 0
        await kit.advance(55)
        assert await sensor.read() == 5


async def test_it_is_refused_what_cannot_be() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        with pytest.raises(ConfigurationError, match="period=0"):
            await pulse.begin("a", 0)
        with pytest.raises(ConfigurationError, match="name"):
            await pulse.begin("", 1)
        with pytest.raises(InvalidArgumentsError):
            await kit.ref("Pulse", "p1").begin("a")


async def test_an_actor_has_a_bounded_number_of_them() -> None:
    async with actor_test(Pulse, clock=VirtualClock()) as kit:
        pulse = kit.ref(PulseRef, "p1")
        for n in range(TIMERS_MAX + 1):
            await pulse.begin(f"t{n}", 10)
        await kit.advance(15)
        assert await pulse.total() == TIMERS_MAX
