"""Commands leave in the order in which they came, also those that had to wait for room."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
async def test_a_batch_has_as_many_of_the_first_as_it_may_and_one_at_least(sizes_bytes: list[int]) -> None:
    commands = Queue()
    for size_bytes in sizes_bytes:
        commands.add(command(b"x" * size_bytes))
    left = list(sizes_bytes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "BATCH_COMMANDS_MAX", 4)
        patch.setattr(queue, "BATCH_BYTES_MAX", 10)
        while left:
            fitting = [n for n in range(1, min(4, len(left)) + 1) if n == 1 or sum(left[:n]) <= 10]
            taken = [len(one.packed) for one in await commands.take()]
            assert taken == left[: max(fitting)]
            left = left[len(taken) :]
    assert commands.drain() == []


async def test_who_takes_when_all_has_been_drained_meanwhile_gets_nothing() -> None:
    commands = Queue()
    taking = asyncio.create_task(commands.take())
    await passes()
    commands.add(command(b"first"))
    assert len(commands.drain()) == 1
    assert await taking == []
