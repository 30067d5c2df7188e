"""Those who wait for room stand in line, and are numbered when it is their turn."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.client.room import Place, Room
from broker_actors.core.address import Address
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.testing.clock import PromptClock

HERE = Route("actors", "Thing.g1.0")
THERE = Route("actors", "Thing.g1.1")
ACTOR = Address("Thing", "here")
ELSEWHERE = Address("Thing", "there")
LONG_SECONDS = 30.0


class Broker:
    """A dispatch to mailboxes that are full, or not."""

    def __init__(self) -> None:
        self.full: set[str] = set()
        self.taken: list[bytes] = []
        self.refused = asyncio.Event()

    async def publish(self, route: Route, message: WireMessage) -> None:
        await asyncio.sleep(0)
        if route.key in self.full:
            self.refused.set()
            raise MailboxFullError(f"{route.key} is full")
        self.taken.append(message.body)


@pytest.fixture
async def broker() -> Broker:
    return Broker()


@pytest.fixture
def room(broker: Broker) -> Room:
    return Room(cast("Dispatch", broker), PromptClock())


def message(body: str) -> WireMessage:
    return WireMessage(headers={}, body=body.encode())


async def send(place: Place, body: str, numbered: list[str]) -> None:
    async with place:
        numbered.append(body)
        await place.publish(message(body))


async def test_who_comes_while_others_wait_is_not_numbered_before_its_turn(
    broker: Broker, room: Room
) -> None:
    broker.full.add(HERE.key)
    numbered: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(room.place(HERE, ACTOR, LONG_SECONDS), "first", numbered))
        await broker.refused.wait()
        tasks.create_task(send(room.place(HERE, ACTOR, LONG_SECONDS), "second", numbered))
        await room.place(THERE, ELSEWHERE, LONG_SECONDS).publish(message("elsewhere"))
        assert (numbered, broker.taken) == (["first"], [b"elsewhere"])
        broker.full.clear()
    assert broker.taken == [b"elsewhere", b"first", b"second"]
    assert room.lines == {}


async def test_a_place_that_is_given_up_lets_the_next_one_in(broker: Broker, room: Room) -> None:
    broker.full.add(HERE.key)
    numbered: list[str] = []
    async with asyncio.timeout(LONG_SECONDS), room.place(HERE, ACTOR, LONG_SECONDS) as first:
        first_publishes = asyncio.create_task(first.publish(message("first")))
        await broker.refused.wait()
        second = asyncio.create_task(send(room.place(HERE, ACTOR, LONG_SECONDS), "second", numbered))
        broker.full.clear()
        await first_publishes
        assert not numbered
        first.leave()
        await second
    assert broker.taken == [b"first", b"second"]


async def test_one_that_leaves_the_line_leaves_the_others_in_it(broker: Broker, room: Room) -> None:
    broker.full.add(HERE.key)
    numbered: list[str] = []
    waiting: list[asyncio.Task[None]] = []
    for body in ("first", "second", "third"):
        waiting.append(asyncio.create_task(send(room.place(HERE, ACTOR, LONG_SECONDS), body, numbered)))
        await broker.refused.wait()
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.wait(waiting[:2])
    broker.full.clear()
    await waiting[2]
    assert broker.taken == [b"third"]
    assert room.lines == {}


async def test_where_nobody_waits_a_place_is_entered_without_a_pass_of_the_loop(room: Room) -> None:
    passes: list[str] = []
    asyncio.get_running_loop().call_soon(passes.append, "the loop went on")
    async with room.place(HERE, ACTOR, LONG_SECONDS):
        assert passes == []


class Draining(PromptClock):
    """A clock that counts pauses, and in each of them a worker takes some messages of a mailbox."""

    def __init__(self, broker: Narrow) -> None:
        super().__init__()
        self.broker = broker
        self.pauses = 0

    async def sleep(self, seconds: float) -> None:
        del seconds
        self.pauses += 1
        self.broker.drain()
        await asyncio.sleep(0)


class Narrow:
    """A mailbox with little room, and what came through it."""

    room = 20
    drained_at_once = 10

    def __init__(self) -> None:
        self.waiting = 0
        self.refused = asyncio.Event()
        self.taken: list[bytes] = []

    def drain(self) -> None:
        self.waiting = max(0, self.waiting - self.drained_at_once)

    async def publish(self, route: Route, message: WireMessage) -> None:
        is_taken = self.waiting < self.room
        self.waiting += is_taken
        await asyncio.sleep(0)
        if not is_taken:
            self.refused.set()
            raise MailboxFullError(f"{route.key} is full")
        self.taken.append(message.body)


CALLS = 1_000


@pytest.mark.parametrize("actors", [1, 7, CALLS])
async def test_room_for_ten_lets_ten_in_after_one_pause(actors: int) -> None:
    broker = Narrow()
    clock = Draining(broker)
    room = Room(cast("Dispatch", broker), clock)
    numbered: list[str] = []
    async with asyncio.timeout(LONG_SECONDS), asyncio.TaskGroup() as tasks:
        for n in range(CALLS):
            place = room.place(HERE, Address("Thing", str(n % actors)), LONG_SECONDS)
            tasks.create_task(send(place, str(n), numbered))
    assert clock.pauses <= 1 + CALLS // Narrow.drained_at_once
    for actor in range(actors):
        assert [n for n in map(int, broker.taken) if n % actors == actor] == list(range(actor, CALLS, actors))
    assert room.lines == {}


async def test_a_refused_one_goes_before_those_of_its_actor_that_came_later() -> None:
    broker = Narrow()
    room = Room(cast("Dispatch", broker), Draining(broker))
    broker.waiting = broker.room
    numbered: list[str] = []
    async with asyncio.timeout(LONG_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(send(room.place(HERE, ACTOR, LONG_SECONDS), "refused", numbered))
        await broker.refused.wait()
        for n in range(CALLS):
            actor = (ACTOR, ELSEWHERE)[n % 2]
            tasks.create_task(send(room.place(HERE, actor, LONG_SECONDS), str(n), numbered))
    assert [body for body in broker.taken if body == b"refused" or int(body) % 2 == 0] == [
        b"refused",
        *(str(n).encode() for n in range(0, CALLS, 2)),
    ]
    assert [n for n in map(int, filter(bytes.isdigit, broker.taken)) if n % 2] == list(range(1, CALLS, 2))
