"""Whose turn it is in a lane: what came, or what is parked, and when neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from broker_actors.core.envelope import Envelope
from broker_actors.core.parking import WAKE, Parked, pack
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.runtime import parking
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival
from broker_actors.runtime.order import Order
from broker_actors.runtime.parker import Unpark
from tests.unit.runtime.waiting_room import ACTOR, HOUR_MS, Room, is_acked


@dataclass
class Turns:
    """Notes whose turn it was, and runs nothing."""

    ran: list[Arrival] = field(default_factory=list[Arrival])
    overflowed: list[Arrival] = field(default_factory=list[Arrival])

    async def __call__(self, activation: Activation, item: Arrival, *, overflows: bool = False) -> None:
        assert activation.address == item.envelope.address
        (self.overflowed if overflows else self.ran).append(item)


class Scene:
    """A room, and the order of turns in it."""

    def __init__(self) -> None:
        self.room = Room()
        self.turns = Turns()
        self.order = Order(self.room.lanes, self.room.as_directory, self.room.parker, self.turns)

    def entry(self, seq: int, due_ms: int = 0) -> bytes:
        return pack(Parked(Envelope(ACTOR, "note", sender="web", seq=seq), due_ms))

    @property
    def unpark(self) -> Unpark:
        return Unpark(ACTOR, self.room.subscription)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.room.parker.close()


async def test_with_an_empty_parking_what_comes_runs(scene: Scene) -> None:
    room = scene.room
    arrival, activation = room.arrival(1, waits=False), await room.activation()
    await scene.order.take(activation, arrival, draining=False)
    assert scene.turns.ran == [arrival]
    assert await room.parked() == []


async def test_behind_a_parking_what_comes_is_parked_and_what_waits_with_it(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    arrival, waiting = room.arrival(2, waits=False), room.arrival(3)
    await scene.order.take(await room.activation(), arrival, draining=False)
    assert scene.turns.ran == []
    assert await room.parked() == [1, 2, 3]
    assert is_acked(arrival)
    assert is_acked(waiting)


async def test_without_room_what_comes_waits_while_the_head_runs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    monkeypatch.setattr(parking, "has_room", lambda *_: False)
    arrival = room.arrival(2, waits=False)
    await scene.order.take(await room.activation(), arrival, draining=False)
    assert [item.envelope.seq for item in scene.turns.ran] == [1]
    assert room.waiting == [2], "and is the next"
    assert not is_acked(arrival)


async def test_without_room_behind_a_message_that_blocks_what_comes_is_one_too_many(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = scene.room
    due_ms = room.clock.now_ms() + HOUR_MS
    await room.left_by_another(scene.entry(1, due_ms), due_ms=due_ms)
    monkeypatch.setattr(parking, "has_room", lambda *_: False)
    arrival = room.arrival(2, waits=False)
    await scene.order.take(await room.activation(), arrival, draining=False)
    assert scene.turns.overflowed == [arrival]
    assert room.waiting == []


async def test_what_has_run_is_answered_in_a_turn_of_its_own_although_others_are_parked(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    activation = await room.activation()
    await scene.order.take(activation, room.arrival(2, waits=False), draining=False)
    again = room.arrival(2, waits=False)
    await scene.order.take(activation, again, draining=False)
    # Whether it has run comes before whether there is room for it: see the turn.
    assert scene.turns.overflowed == [again]


async def test_what_cannot_be_parked_for_want_of_the_store_has_no_turn(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    activation = await room.activation()
    room.store.is_away = True
    arrival = room.arrival(2, waits=False)
    await scene.order.take(activation, arrival, draining=False)
    assert (scene.turns.ran, scene.turns.overflowed) == ([], [])
    assert room.subscription.is_lost(), "it is delivered again"


async def test_who_asks_a_suspended_actor_is_told_and_who_tells_it_waits(scene: Scene) -> None:
    room = scene.room
    activation = await room.activation()
    assert activation.parking is not None
    activation.parking.suspension = Suspension(Cause.OPERATOR, "to see", room.clock.now_ms())
    ask = room.arrival(1, waits=False, reply_to="replies", correlation_id="c")
    tell = room.arrival(2, waits=False)
    await scene.order.take(activation, ask, draining=False)
    await scene.order.take(activation, tell, draining=False)
    assert scene.turns.ran == [ask]
    assert await room.parked() == [2]


async def test_who_wakes_an_actor_has_done_so_once_it_is_live(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    wake = room.arrival(0, waits=False)
    wake = Arrival(Envelope(ACTOR, WAKE), wake.delivery, room.subscription, 0.0)
    await scene.order.take(await room.activation(), wake, draining=False)
    assert is_acked(wake)
    assert (scene.turns.ran, await room.parked()) == ([], [1])


async def test_the_head_runs_and_the_next_one_lines_up(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1), scene.entry(2))
    await room.activation()
    await scene.order.unpark(scene.unpark, draining=False)
    assert [item.envelope.seq for item in scene.turns.ran] == [1]
    assert room.waiting == [0]


async def test_the_head_waits_until_it_is_known_what_is_parked(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    activation = await room.activation()
    room.arrival(2)
    room.store.gate.clear()
    parks = asyncio.create_task(room.parker.park(activation))
    await asyncio.sleep(0)
    unparks = asyncio.create_task(scene.order.unpark(scene.unpark, draining=False))
    for _ in range(50):
        await asyncio.sleep(0)
    assert scene.turns.ran == []
    room.store.gate.set()
    await asyncio.gather(parks, unparks)
    assert [item.envelope.seq for item in scene.turns.ran] == [1]


async def test_nothing_of_a_lost_mailbox_runs(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    activation = await room.activation()
    room.subscription.lose()
    await scene.order.unpark(scene.unpark, draining=False)
    await scene.order.follow(activation, room.subscription)
    assert scene.turns.ran == []
    assert room.directory.dropped == [activation]


async def test_no_head_begins_while_the_worker_stops(scene: Scene) -> None:
    room = scene.room
    await room.left_by_another(scene.entry(1))
    await room.activation()
    await scene.order.unpark(scene.unpark, draining=True)
    assert scene.turns.ran == []
    assert room.waiting == [], "and none lines up: it would be looked at again and again"


async def test_who_cannot_be_claimed_gives_the_mailbox_back(scene: Scene) -> None:
    await scene.order.unpark(scene.unpark, draining=False)
    assert scene.room.subscription.is_lost()
