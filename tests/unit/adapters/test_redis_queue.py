"""Commands leave in the order in which they came, also those that had to wait for room."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.redis import queue
from broker_actors.adapters.redis.queue import Queue, Waiting


def command(name: bytes) -> Waiting:
    return Waiting(name, asyncio.get_running_loop().create_future())


async def passes() -> None:
    """Return once everything has happened that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def commands(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Return a queue with a place for one, who is there."""
    monkeypatch.setattr(queue, "WAITING_MAX", 1)
    full = Queue()
    full.add(command(b"first"))
    return full


async def test_who_comes_when_others_wait_for_room_stands_behind_them(commands: Queue) -> None:
    assert not commands.has_room
    coming = [asyncio.create_task(commands.put(command(name))) for name in (b"second", b"third")]
    await passes()
    taken = await commands.take()
    assert not commands.has_room, "there is room, and it is not for newcomers"
    coming.append(asyncio.create_task(commands.put(command(b"fourth"))))
    for _ in range(3):
        await passes()
        taken += await commands.take()
    assert [one.packed for one in taken] == [b"first", b"second", b"third", b"fourth"]
    await asyncio.gather(*coming)
    assert commands.has_room


async def test_who_stops_waiting_for_room_keeps_nobody_else_from_coming(commands: Queue) -> None:
    gone, next_one = (asyncio.create_task(commands.put(command(name))) for name in (b"gone", b"second"))
    await passes()
    gone.cancel()
    await passes()
    assert [one.packed for one in commands.drain()] == [b"first"]
    await next_one
    assert [one.packed for one in await commands.take()] == [b"second"]
    assert commands.has_room
