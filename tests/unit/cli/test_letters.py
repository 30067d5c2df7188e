"""Reading dead letters beside others, on the embedded broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_actors.bootstrap.backend import Backend, Embedded
from broker_actors.cli import letters
from broker_actors.cli.letters import browse, take
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import ErrorRecord, UnknownActorTypeError
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


async def listed(backend: Backend, limit: int = 100) -> list[str]:
    found = await browse(backend.transport, "Counter", limit=limit)
    return [str(dead.address_of(letter)) for letter in found]


async def take_of(backend: Backend, actor_id: str) -> DeadLetter:
    def is_mine(letter: DeadLetter) -> bool:
        return dead.address_of(letter) == Address("Counter", actor_id)

    async with asyncio.timeout(HANG_SECONDS):
        return await take(backend.transport, "Counter", is_mine, backend.clock)


async def test_browsing_leaves_the_letters_in_their_order(backend: Backend) -> None:
    await bury(backend, "a", "b", "c")
    for _ in range(2):
        assert await listed(backend) == ["Counter/a", "Counter/b", "Counter/c"]


async def test_copies_of_one_letter_are_one(backend: Backend) -> None:
    await bury(backend, "a", "b", "a")
    assert await listed(backend) == ["Counter/a", "Counter/b"]


async def test_browsing_stops_at_its_limit_and_where_it_is_told(backend: Backend) -> None:
    await bury(backend, "a", "b", "c")
    assert await listed(backend, limit=2) == ["Counter/a", "Counter/b"]
    found = await browse(backend.transport, "Counter", limit=9, until=lambda _letter: True)
    assert len(found) == 1


async def test_what_nobody_wrote_on_purpose_is_browsed_too(backend: Backend) -> None:
    await backend.transport.publish(topology.dead_route("Counter"), WireMessage({"ba-died": "?"}, b"\xff"))
    (letter,) = await browse(backend.transport, "Counter", limit=9)
    assert letter.message.body == b"\xff"


async def test_a_type_nobody_declared_is_named(backend: Backend) -> None:
    with pytest.raises(UnknownActorTypeError, match="no dead letters of Ghost"):
        await browse(backend.transport, "Ghost", limit=9)
    with pytest.raises(UnknownActorTypeError, match="no dead letters of Ghost"):
        await take(backend.transport, "Ghost", lambda _letter: True, backend.clock)


async def test_taking_removes_mine_and_leaves_the_others_in_their_order(backend: Backend) -> None:
    await bury(backend, "a", "mine", "b")
    letter = await take_of(backend, "mine")
    assert letter.error == "ValueError: boom"
    assert await listed(backend) == ["Counter/a", "Counter/b"]


async def test_taking_waits_for_the_letter(backend: Backend) -> None:
    await bury(backend, "a")
    taking = asyncio.create_task(take_of(backend, "mine"))
    await bury(backend, "mine")
    assert dead.address_of(await taking) == Address("Counter", "mine")


async def test_two_who_wait_do_not_starve_each_other(backend: Backend) -> None:
    first, second = (asyncio.create_task(take_of(backend, name)) for name in ("first", "second"))
    for _ in range(10):
        await asyncio.sleep(0)
    # Both consume by now, so each may well be handed what the other one waits for.
    await bury(backend, "second", "first")
    await asyncio.gather(first, second)
    assert await listed(backend) == []
