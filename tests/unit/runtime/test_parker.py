"""What is parked of a lane, what becomes of it when the store fails, and who sees that its head runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_actors.core.events import Trouble, Undecodable
from broker_actors.core.parking import UNREADABLE, Parked, pack
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.runtime import parker, parking
from broker_actors.runtime.parker import Unpark
from tests.unit.runtime.waiting_room import ACTOR, HOUR_MS, Room, is_acked

STEPS_MANY = 50


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.parker.close()


async def steps() -> None:
    for _ in range(STEPS_MANY):
        await asyncio.sleep(0)


async def test_what_waits_is_parked_in_order_behind_the_one_whose_turn_it_is(room: Room) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    waiting = [room.arrival(n) for n in (2, 3)]
    assert await room.parker.park(activation, first)
    assert await room.parked() == [1, 2, 3]
    assert all(map(is_acked, (first, *waiting)))
    assert room.waiting == []


async def test_nothing_is_acknowledged_before_it_is_parked(room: Room) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    room.store.gate.clear()
    under_way = asyncio.create_task(room.parker.park(activation, first))
    await steps()
    assert room.parker.is_busy(ACTOR)
    assert not is_acked(first)
    room.store.gate.set()
    assert await under_way
    assert is_acked(first)


async def test_what_left_the_lane_while_it_was_parked_does_not_run_as_well(room: Room) -> None:
    activation = await room.activation()
    gone, stays = room.arrival(1), room.arrival(2, deadline_ms=1)
    room.store.gate.clear()
    under_way = asyncio.create_task(room.parker.park(activation))
    await steps()
    answers = asyncio.gather(room.parker.is_gone(gone), room.parker.is_gone(stays))
    await steps()
    assert not answers.done(), "nobody knows yet"
    room.store.gate.set()
    await under_way
    assert list(await answers) == [True, False]


async def test_what_has_run_before_is_not_parked(room: Room) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    await room.parker.park(activation, first)
    again = room.arrival(1, waits=False)
    assert not await room.parker.park(activation, again)
    assert not is_acked(again)
    assert await room.parked() == [1]
    assert not await room.parker.may_wait(activation, again), "its turn tells its caller what it was answered"


async def test_what_is_too_late_is_left_to_its_turn(room: Room) -> None:
    late, activation = room.arrival(1, waits=False, deadline_ms=1), await room.activation()
    assert not await room.parker.park(activation, late)
    assert await room.parked() == []


async def test_asks_of_a_suspended_actor_are_not_parked(room: Room) -> None:
    activation = await room.activation()
    assert activation.parking is not None
    activation.parking.suspension = Suspension(Cause.OPERATOR, "to see", room.clock.now_ms())
    ask = room.arrival(1, reply_to="replies", correlation_id="c")
    told = room.arrival(2)
    await room.parker.park(activation)
    assert (is_acked(ask), is_acked(told)) == (False, True)
    assert await room.parked() == [2]


@pytest.mark.parametrize("deadline_ms", [0, 1], ids=["in time", "too late to be parked"])
async def test_without_the_store_everything_is_given_back(room: Room, deadline_ms: int) -> None:
    await room.left_by_another(pack(Parked(room.arrival(9, waits=False).envelope)))
    activation = await room.activation()
    first = room.arrival(1, waits=False, deadline_ms=deadline_ms)
    room.store.is_away = True
    assert await room.parker.park(activation, first)
    assert room.subscription.is_lost(), "or nobody would ever look after it again"
    assert not is_acked(first)
    assert [type(event) for event in room.events.seen] == [Trouble]


async def test_what_is_fenced_is_given_back(room: Room) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    await room.activation()
    assert await room.parker.park(activation, first)
    assert (room.abandoned, is_acked(first)) == (1, False)
    assert await room.parked() == []


async def test_who_is_cancelled_while_it_parks_gives_back(room: Room) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    room.store.gate.clear()
    under_way = asyncio.create_task(room.parker.park(activation, first))
    await steps()
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert room.subscription.is_lost()
    assert not room.parker.is_busy(ACTOR)
    await room.parker.settled(ACTOR)


async def test_what_finds_no_room_stays_where_it_is(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    first, activation = room.arrival(1, waits=False), await room.activation()
    second = room.arrival(2)
    size = len(pack(Parked(first.envelope)))
    monkeypatch.setattr(parking, "has_room", lambda entry, actor, _total: actor + entry <= size)
    assert await room.parker.park(activation, first)
    assert (await room.parked(), room.waiting) == ([1], [2])
    assert not is_acked(second)
    assert not await room.parker.park(activation, second)
    assert await room.parker.may_wait(activation, second), "the parking empties itself"


async def test_nothing_waits_for_room_behind_a_head_that_is_not_due(room: Room) -> None:
    entry = pack(Parked(room.arrival(1, waits=False).envelope, room.clock.now_ms() + HOUR_MS))
    await room.left_by_another(entry, due_ms=room.clock.now_ms() + HOUR_MS)
    activation = await room.activation()
    assert await room.parker.head(activation, room.subscription) is None
    assert not await room.parker.may_wait(activation, room.arrival(2, waits=False))


async def test_the_head_is_what_was_parked_first(room: Room) -> None:
    envelopes = [room.arrival(n, waits=False).envelope for n in (1, 2)]
    await room.left_by_another(*(pack(Parked(envelope)) for envelope in envelopes))
    head = await room.parker.head(await room.activation(), room.subscription)
    assert head is not None
    assert (head.envelope.seq, head.is_parked, head.unreadable) == (1, True, None)
    assert head.delivery.redelivered, "whoever had it may have died of it"


async def test_a_head_nobody_can_read_is_one_that_is_buried_and_holds_up_nobody(room: Room) -> None:
    readable = pack(Parked(room.arrival(2, waits=False).envelope))
    await room.left_by_another(b"\xc1 broken", readable)
    head = await room.parker.head(await room.activation(), room.subscription)
    assert head is not None
    assert head.unreadable is not None
    assert (head.envelope.address, head.envelope.method) == (ACTOR, UNREADABLE)
    assert head.envelope.body == b"\xc1 broken"
    assert [type(event) for event in room.events.seen] == [Undecodable]
    assert not room.subscription.is_lost()


async def test_an_entry_nobody_can_read_does_not_keep_back_those_before_it(room: Room) -> None:
    readable = pack(Parked(room.arrival(1, waits=False).envelope))
    await room.left_by_another(readable, b"\xc1 broken")
    head = await room.parker.head(await room.activation(), room.subscription)
    assert head is not None
    assert (head.envelope.seq, head.unreadable) == (1, None)


async def test_a_parking_that_somebody_else_has_emptied_is_given_back_with_its_mailbox(room: Room) -> None:
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope)))
    activation = await room.activation()
    room.store._actors[ACTOR].parking.entries.clear()
    assert await room.parker.head(activation, room.subscription) is None
    assert room.subscription.is_lost(), "or it would be looked for again and again"


async def test_without_the_store_there_is_no_head_and_the_mailbox_is_given_back(room: Room) -> None:
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope)))
    activation = await room.activation()
    room.store.is_away = True
    assert await room.parker.head(activation, room.subscription) is None
    assert room.subscription.is_lost()


async def test_a_head_that_is_due_gets_one_turn(room: Room) -> None:
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope)))
    activation = await room.activation()
    for _ in range(3):
        room.parker.follow(activation, room.subscription)
    admitted = room.lanes.next()
    assert admitted is not None
    assert isinstance(admitted.item, Unpark)
    assert (room.waiting, room.started) == ([], 1)
    room.parker.take(admitted.item)
    room.parker.follow(activation, room.subscription)
    assert room.waiting == [0], "the next one, after that"


async def test_a_head_that_is_not_due_has_an_alarm(room: Room) -> None:
    due_ms = room.clock.now_ms() + HOUR_MS
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope, due_ms)), due_ms=due_ms)
    activation = await room.activation()
    await room.parker.head(activation, room.subscription)
    room.parker.follow(activation, room.subscription)
    room.parker.follow(activation, room.subscription)
    await steps()
    assert room.clock.sleeps[-1] == HOUR_MS / 1000
    assert room.waiting == []
    room.clock.wake()
    await steps()
    assert room.waiting == [0], "and not two of them"


async def test_an_alarm_of_a_lost_mailbox_wakes_nobody(room: Room) -> None:
    due_ms = room.clock.now_ms() + HOUR_MS
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope, due_ms)), due_ms=due_ms)
    activation = await room.activation()
    await room.parker.head(activation, room.subscription)
    room.parker.follow(activation, room.subscription)
    await steps()
    room.subscription.lose()
    room.clock.wake()
    await steps()
    assert room.waiting == []
    room.parker.follow(activation, room.subscription)
    assert room.waiting == []


async def test_alarms_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parker, "ALARMS_MAX", 0)
    due_ms = room.clock.now_ms() + HOUR_MS
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope, due_ms)), due_ms=due_ms)
    activation = await room.activation()
    await room.parker.head(activation, room.subscription)
    room.parker.follow(activation, room.subscription)
    await steps()
    assert room.clock.sleeps == []
    room.clock.at_ms += 2 * HOUR_MS
    # As the relay has it done.
    room.parker.follow(activation, room.subscription)
    assert room.waiting == [0]


async def test_nothing_of_a_suspended_actor_gets_a_turn(room: Room) -> None:
    await room.left_by_another(pack(Parked(room.arrival(1, waits=False).envelope)))
    activation = await room.activation()
    assert activation.parking is not None
    activation.parking.suspension = Suspension(Cause.OPERATOR, "to see", room.clock.now_ms())
    room.parker.follow(activation, room.subscription)
    assert await room.parker.head(activation, room.subscription) is None
    assert room.waiting == []
