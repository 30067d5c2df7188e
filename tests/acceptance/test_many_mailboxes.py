"""A worker that starts on many mailboxes with much in them is ready soon, and begins then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.events import ConsumerLost, ConsumerOpened, TurnEnded
from broker_actors.ports.transport import Consumer, OnDelivery, Transport
from broker_actors.worker import worker as worker_module
from tests.acceptance.conftest import Deployment
from tests.acceptance.watching import Watcher

FEW = 16
MESSAGES_FEW = 64
MANY = 144
MESSAGES = 10_000
ACTORS = 1_000


@actor(partitions=FEW)
class Narrow:
    """Counts, in a few mailboxes."""

    value: int = 0

    @method
    def add(self) -> int:
        self.value += 1
        return self.value


class NarrowRef(Narrow, Ref):
    """Typed handle."""


@actor(partitions=MANY)
class Wide:
    """Counts, in as many mailboxes as a large deployment has."""

    value: int = 0

    @method
    def add(self) -> int:
        self.value += 1
        return self.value


class WideRef(Wide, Ref):
    """Typed handle."""


class LateTransport:
    """An open transport on which one mailbox is not consumed before the gate is open."""

    def __init__(self, transport: Transport, mailbox: str) -> None:
        self.gate = asyncio.Event()
        self._transport = transport
        self._mailbox = mailbox

    async def consume(self, mailbox: str, on_delivery: OnDelivery, *, prefetch: int) -> Consumer:
        if mailbox == self._mailbox:
            await self.gate.wait()
        return await self._transport.consume(mailbox, on_delivery, prefetch=prefetch)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


@asynccontextmanager
async def starting(watcher: Watcher) -> AsyncGenerator[tuple[LateTransport, asyncio.Task[Worker]]]:
    """Start a worker for messages that wait; one of its mailboxes is late."""
    embedded = Embedded()
    backend = embedded.backend(watcher)
    late = LateTransport(backend.transport, f"actors.Narrow.g1.{FEW - 1}")
    async with (
        ActorSystem(observer=watcher, backend=embedded.backend(watcher)) as caller,
        ActorSystem(observer=watcher, backend=replace(backend, transport=cast("Transport", late))) as system,
    ):
        counters = [caller.ref(NarrowRef, f"n{number}") for number in range(MESSAGES_FEW)]
        async with Worker(caller, Narrow):
            pass
        await asyncio.gather(*(counter.add.tell() for counter in counters))
        watcher.events.clear()
        worker = Worker(system, Narrow)
        start = asyncio.ensure_future(worker.__aenter__())
        await watcher.wait_for(ConsumerOpened, lambda event: ".Narrow." in event.mailbox, FEW - 1)
        yield late, start
        await start
        await worker.stop()


async def test_turns_begin_when_every_mailbox_of_a_starting_worker_is_consumed() -> None:
    watcher = Watcher()
    async with starting(watcher) as (late, start):
        for _ in range(100):
            # Far more passes of the loop than a turn takes.
            await asyncio.sleep(0)
        assert watcher.of(TurnEnded) == []
        assert not start.done()
        late.gate.set()
        await watcher.wait_for(TurnEnded, count=MESSAGES_FEW)


async def test_turns_do_not_wait_for_ever_for_a_mailbox_that_cannot_be_consumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "HOLD_SECONDS_MAX", 0.01)
    watcher = Watcher()
    async with starting(watcher) as (late, start):
        await watcher.wait_for(TurnEnded)
        assert not start.done()
        late.gate.set()


@pytest.mark.verify
@pytest.mark.timeout(180)
async def test_no_mailbox_of_many_is_given_up_behind_what_the_others_deliver(real: Deployment) -> None:
    system = await real.system()
    async with real.worker(Wide):
        pass
    counters = [system.ref(WideRef, f"w{number % ACTORS}") for number in range(MESSAGES)]
    for start in range(0, MESSAGES, ACTORS):
        await asyncio.gather(*(counter.add.tell() for counter in counters[start : start + ACTORS]))
    async with real.worker(Wide) as worker:
        assert worker.status().ready
        assert real.watcher.of(ConsumerLost) == []
        assert await counters[0].with_options(timeout=120).add() == MESSAGES // ACTORS + 1
