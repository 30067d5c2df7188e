"""Reading dead letters beside others, on the embedded broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_actors.adapters.memory.transport import MemoryTransport
from broker_actors.bootstrap.backend import Backend, Embedded
from broker_actors.cli import letters
from broker_actors.cli.letters import browse, lying, queue_of, take
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    ErrorRecord,
    UnknownActorTypeError,
)
from broker_actors.core.topology import Layout
from broker_actors.core.wire import WireMessage
from broker_actors.observability.logs import LoggingObserver

FAULT = ErrorRecord("SystemFaultError", "ValueError", "boom")
HANG_SECONDS = 30


@pytest.fixture
async def backend(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backend]:
    """A broker that knows the type Counter, and is in this process: nothing is slow to arrive."""
    monkeypatch.setattr(letters, "QUIET_SECONDS", 0.2)
    backend = Embedded().backend(LoggingObserver())
    await backend.transport.declare(topology.common())
    await backend.transport.declare(topology.of(Layout("Counter")))
    yield backend
    await backend.close()


async def bury(backend: Backend, *ids: str) -> None:
    for actor_id in ids:
        envelope = Envelope(Address("Counter", actor_id), "increment", key=actor_id)
        letter = dead.of_envelope(envelope, Reason.FAILED, FAULT, origin="actors.Counter.g1.0", now_ms=1)
        await backend.transport.publish(topology.dead_route("Counter"), letter.message)


def for_(letter: DeadLetter) -> str:
    return str(dead.address_of(letter)).removeprefix("Counter/")


async def listed(backend: Backend, limit: int = 100) -> list[str]:
    found = await browse(backend.transport, "Counter", limit=limit)
    return [for_(letter) for letter in found]


async def take_of(backend: Backend, actor_id: str) -> DeadLetter:
    async with asyncio.timeout(HANG_SECONDS):
        return await take(backend.transport, "Counter", lambda it: for_(it) == actor_id, backend.clock)


async def test_browsing_leaves_the_letters_in_their_order(backend: Backend) -> None:
    await bury(backend, "a", "b", "c")
    for _ in range(2):
        assert await listed(backend) == ["a", "b", "c"]


async def test_copies_of_one_letter_are_one(backend: Backend) -> None:
    await bury(backend, "a", "b", "a")
    assert await listed(backend) == ["a", "b"]


async def test_browsing_a_part_leaves_all_in_their_order(backend: Backend) -> None:
    """Not so if readers had windows of different sizes."""
    await bury(backend, "a", "b", "c")
    for limit in (3, 2, 1):
        assert await listed(backend, limit) == ["a", "b", "c"][:limit]
    assert await listed(backend) == ["a", "b", "c"]


async def test_only_what_matches_counts(backend: Backend) -> None:
    await bury(backend, "a", "b", "c")
    found = await browse(backend.transport, "Counter", limit=1, matches=lambda letter: for_(letter) == "b")
    assert [for_(letter) for letter in found] == ["b"]


async def test_what_nobody_wrote_on_purpose_is_browsed_too(backend: Backend) -> None:
    await backend.transport.publish(topology.dead_route("Counter"), WireMessage({"ba-died": "?"}, b"\xff"))
    (letter,) = await browse(backend.transport, "Counter", limit=9)
    assert letter.message.body == b"\xff"


async def test_the_brokers_own_letters_go_by_a_name_no_type_can_have(backend: Backend) -> None:
    await backend.transport.publish(topology.dead_route("by-broker"), WireMessage({}, b"\xff"))
    (letter,) = await browse(backend.transport, "by-broker", limit=9)
    assert letter.reason == Reason.GIVEN_UP
    assert (queue_of("by-broker"), queue_of("Counter")) == ("actors.dead", "actors.dead.Counter")
    with pytest.raises(ConfigurationError):
        queue_of("by-nobody")


async def test_a_type_nobody_declared_is_named(backend: Backend) -> None:
    with pytest.raises(UnknownActorTypeError, match="no dead letters of Ghost"):
        await browse(backend.transport, "Ghost", limit=9)
    with pytest.raises(UnknownActorTypeError, match="no dead letters of Ghost"):
        await take(backend.transport, "Ghost", lambda _letter: True, backend.clock)


async def test_what_arrives_while_letters_are_read_is_not_among_them(backend: Backend) -> None:
    """Or a letter that dies again as soon as it is sent again would be sent for ever."""
    await bury(backend, "a", "b")
    met: list[str] = []
    async with lying(backend.transport, "Counter") as found:
        async for letter, _delivery in found:
            met.append(for_(letter))
            await bury(backend, f"after {for_(letter)}")
    assert met == ["a", "b"]
    assert await listed(backend) == ["a", "b", "after a", "after b"]


async def test_a_reader_that_comes_second_says_so_and_sees_what_is_left(backend: Backend) -> None:
    await bury(backend, "a")
    told: list[str] = []
    async with lying(backend.transport, "Counter") as first:
        async with lying(backend.transport, "Counter", told.append) as second:
            assert second.unseen == 0
        async for letter, _delivery in first:
            assert for_(letter) == "a"
    assert len(told) == 1


async def test_a_reader_that_just_ended_is_not_in_the_way(backend: Backend) -> None:
    await bury(backend, "a")
    told: list[str] = []

    async def read() -> None:
        async with lying(backend.transport, "Counter"):
            await asyncio.sleep(0)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    async with lying(backend.transport, "Counter", told.append) as found:
        assert [for_(letter) async for letter, _delivery in found] == ["a"]
    await reading
    assert told == []


async def test_a_reader_whose_letters_were_taken_back_stops(backend: Backend) -> None:
    await bury(backend, "a", "b", "c")
    transport = backend.transport
    assert isinstance(transport, MemoryTransport)
    async with lying(transport, "Counter") as found:
        await anext(found)
        transport.lose_connection()
        # The end is told in steps of its own; the other letters have long arrived.
        for _ in range(10):
            await asyncio.sleep(0)
        with pytest.raises(BrokerUnavailableError, match="run it again"):
            await anext(found)
    assert await listed(backend) == ["a", "b", "c"]


async def test_taking_removes_mine_and_leaves_the_others_in_their_order(backend: Backend) -> None:
    await bury(backend, "a", "mine", "b")
    letter = await take_of(backend, "mine")
    assert letter.error == "ValueError: boom"
    assert await listed(backend) == ["a", "b"]


async def test_taking_waits_for_the_letter(backend: Backend) -> None:
    await bury(backend, "a")
    taking = asyncio.create_task(take_of(backend, "mine"))
    await bury(backend, "mine")
    assert for_(await taking) == "mine"


async def test_two_who_wait_do_not_starve_each_other(backend: Backend) -> None:
    first, second = (asyncio.create_task(take_of(backend, name)) for name in ("first", "second"))
    for _ in range(10):
        await asyncio.sleep(0)
    # Both consume by now, so each may well be handed what the other one waits for.
    await bury(backend, "second", "first")
    await asyncio.gather(first, second)
    assert await listed(backend) == []
