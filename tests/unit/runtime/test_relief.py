"""When prefetch windows are looked at, and whose backlog leaves them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass

import pytest

from broker_actors.core.address import Address
from broker_actors.runtime.arrival import Arrival
from broker_actors.runtime.relief import Parts, Relief, Turning
from tests.unit.runtime.waiting_room import ACTOR, Room, is_acked


@dataclass
class Runs:
    """A turn that runs."""

    is_waiting: bool = False
    since_seconds: float = 0.0


class Scene:
    """A room whose window is watched."""

    def __init__(self) -> None:
        self.room = Room()
        self.turns: dict[Address, tuple[Arrival, Turning]] = {}
        self.started: list[asyncio.Task[None]] = []
        room = self.room
        self.relief = Relief(Parts(room.lanes, self.turns, room.as_directory, room.parker, self._start))

    def _start(self, running: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self.started.append(asyncio.create_task(running))
        return self.started[-1]

    def delivered(self, count: int, *, first: int = 1) -> list[Arrival]:
        """Let so many arrive, as a worker takes them in."""
        arrived: list[Arrival] = []
        for n in range(count):
            arrived.append(self.room.arrival(first + n))
            self.relief.changed(self.room.subscription)
        return arrived

    async def relieved(self) -> None:
        """Return when what was begun has ended."""
        await asyncio.gather(*self.started)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.room.parker.close()


async def test_more_than_half_a_window_of_one_actor_is_parked(scene: Scene) -> None:
    await scene.room.activation()
    arrived = scene.delivered(5)
    await scene.relieved()
    assert await scene.room.parked() == [1, 2, 3, 4, 5]
    assert all(map(is_acked, arrived))
    assert scene.room.waiting == [0], "its head has a turn"


async def test_half_a_window_is_left_alone(scene: Scene) -> None:
    await scene.room.activation()
    scene.delivered(4)
    scene.relief.look_at_all()
    await scene.relieved()
    assert scene.room.waiting == [1, 2, 3, 4]
    assert not scene.started


async def test_who_is_not_live_has_nothing_parked(scene: Scene) -> None:
    scene.delivered(8)
    assert not scene.started


async def test_a_window_is_looked_at_once_while_something_is_being_parked(scene: Scene) -> None:
    room = scene.room
    await room.activation()
    room.store.gate.clear()
    scene.delivered(5)
    await asyncio.sleep(0)
    assert len(scene.started) == 1
    for _ in range(3):
        scene.relief.look_at_all()
    assert len(scene.started) == 1
    room.store.gate.set()
    await scene.relieved()
    assert await room.parked() == [1, 2, 3, 4, 5]


async def test_a_turn_that_waits_has_the_window_looked_at(scene: Scene) -> None:
    room = scene.room
    activation = await room.activation()
    running = room.arrival(1, waits=False)
    assert activation.parking is not None
    activation.parking.begin(from_head=False)
    activation.parking.runs(running)
    scene.turns[ACTOR] = (running, Runs())
    scene.delivered(4, first=2)
    assert not scene.started, "it is about to end"
    scene.turns[ACTOR] = (running, Runs(is_waiting=True))
    scene.relief.waits()
    await scene.relieved()
    assert room.waiting == [0], "and the head's turn comes after the one that runs"
    # Beneath what waits behind it: it must run again before that if its worker dies.
    assert is_acked(running)
    assert await room.parked() == [1, 2, 3, 4, 5]


async def test_nothing_of_a_lost_mailbox_is_parked(scene: Scene) -> None:
    room = scene.room
    activation = await room.activation()
    room.store.gate.clear()
    scene.delivered(5)
    await asyncio.sleep(0)
    room.subscription.lose()
    room.store.gate.set()
    await scene.relieved()
    assert room.directory.dropped == [activation]
    scene.relief.look_at_all()
    assert len(scene.started) == 1


async def test_without_the_store_the_window_is_given_back(scene: Scene) -> None:
    room = scene.room
    await room.activation()
    room.store.is_away = True
    arrived = scene.delivered(5)
    await scene.relieved()
    assert room.subscription.is_lost()
    assert not any(map(is_acked, arrived))
