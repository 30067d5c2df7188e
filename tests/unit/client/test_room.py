"""Those who wait for room stand in line, and are numbered when it is their turn."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.client.room import Place, Room
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.testing.clock import PromptClock

HERE = Route("actors", "Thing.g1.0")
THERE = Route("actors", "Thing.g1.1")
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
        tasks.create_task(send(room.place(HERE, LONG_SECONDS), "first", numbered))
        await broker.refused.wait()
        tasks.create_task(send(room.place(HERE, LONG_SECONDS), "second", numbered))
        await room.place(THERE, LONG_SECONDS).publish(message("elsewhere"))
        assert (numbered, broker.taken) == (["first"], [b"elsewhere"])
        broker.full.clear()
    assert broker.taken == [b"elsewhere", b"first", b"second"]
    assert room.lines == {}


async def test_a_place_that_is_given_up_lets_the_next_one_in(broker: Broker, room: Room) -> None:
    broker.full.add(HERE.key)
    numbered: list[str] = []
    async with asyncio.timeout(LONG_SECONDS), room.place(HERE, LONG_SECONDS) as first:
        first_publishes = asyncio.create_task(first.publish(message("first")))
        await broker.refused.wait()
        second = asyncio.create_task(send(room.place(HERE, LONG_SECONDS), "second", numbered))
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
        waiting.append(asyncio.create_task(send(room.place(HERE, LONG_SECONDS), body, numbered)))
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
    async with room.place(HERE, LONG_SECONDS):
        assert passes == []
