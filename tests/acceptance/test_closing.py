"""What closes, starts late or runs elsewhere leaves nobody waiting and nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import pytest

from broker_actors import ActorSystem, PlatformError, Ref, Settings, actor, method
from broker_actors.actor.ref import make_ref
from broker_actors.bootstrap.backend import Backend, Embedded
from broker_actors.core import topology
from broker_actors.core.address import Address
from broker_actors.core.errors import MailboxFullError, OutOfTurnError, UnknownActorTypeError
from broker_actors.core.events import ConsumerOpened, TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Lamp, LampRef
from tests.acceptance.watching import HANG_SECONDS, Watcher

pytestmark = pytest.mark.embedded_first

#: More than an ask takes until it has been published.
PASSES = range(16)


@actor(partitions=1)
class Detour:
    """Calls another actor from a thread, on a loop of its own."""

    @method.options(run_in="thread")
    def fetch(self) -> int:
        return asyncio.run(self._fetch())

    async def _fetch(self) -> int:
        return await DetourRef.counter.get()


class DetourRef(Detour, Ref):
    """Typed handle."""

    counter: ClassVar[CounterRef]


class Shared:
    """An embedded broker and store, and systems opened on them."""

    def __init__(self) -> None:
        self.embedded = Embedded()
        self.watcher = Watcher()

    def system(self) -> ActorSystem:
        """Return a system that leaves the broker and the store open."""
        return ActorSystem(Settings(), observer=self.watcher, backend=self.embedded.backend(self.watcher))

    @property
    def left(self) -> tuple[int, list[str]]:
        """How many messages the broker holds, and the reply channels."""
        return sum(queue.held for queue in self.embedded.broker.queues), list(self.embedded.channels._inboxes)


def calls_of(system: ActorSystem) -> Iterator[asyncio.Task[object]]:
    """Start one call of each kind."""
    counter = system.ref(CounterRef, "c1").with_options(timeout=HANG_SECONDS)
    yield asyncio.ensure_future(counter.get())
    yield asyncio.ensure_future(counter.with_options(idempotency_key="k").increment(1))
    yield asyncio.ensure_future(counter.increment.tell(1))
    yield asyncio.ensure_future(counter.increment.tell_after(60, 1))


async def let_pass(passes: int) -> None:
    """Let the loop run *passes* times."""
    for _ in range(passes):
        await asyncio.sleep(0)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("passes", PASSES)
async def test_calls_under_way_end_with_a_platform_error_whenever_the_system_closes(
    passes: int, known: bool
) -> None:
    shared = Shared()
    if known:
        async with shared.system() as other:
            await other.ref(CounterRef, "c1").increment.tell(1)
    async with shared.system() as system:
        if known:
            await system.dispatch.layout("Counter")
        calls = list(calls_of(system))
        await let_pass(passes)
    left = shared.left
    async with asyncio.timeout(HANG_SECONDS):
        results = await asyncio.gather(*calls, return_exceptions=True)
    # Nobody answers, so no ask can have ended otherwise; a tell may have been confirmed before.
    assert all(isinstance(result, PlatformError) for result in results[:2])
    assert all(
        not isinstance(result, BaseException) or isinstance(result, PlatformError) for result in results[2:]
    )
    await let_pass(len(PASSES))
    assert shared.left == left
    assert left[1] == []


async def test_calls_under_way_end_with_a_platform_error_on_any_deployment(deployment: Deployment) -> None:
    async with ActorSystem(
        deployment.settings, observer=deployment.watcher, backend=await deployment.backend()
    ) as system:
        asks = [asyncio.ensure_future(system.ref(CounterRef, f"c{n}").get()) for n in range(20)]
        await system.ref(CounterRef, "c1").increment.tell(1)
        asks += [asyncio.ensure_future(system.ref(CounterRef, f"c{n}").get()) for n in range(20)]
    async with asyncio.timeout(HANG_SECONDS):
        results = await asyncio.gather(*asks, return_exceptions=True)
    assert {type(result) for result in results} == {PlatformError}


async def test_a_caller_that_is_cancelled_while_the_system_closes_stays_cancelled() -> None:
    shared = Shared()
    async with shared.system() as system:
        ask = asyncio.ensure_future(system.ref(CounterRef, "c1").get())
        await let_pass(2)
        ask.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ask


async def test_a_caller_that_gives_up_leaves_the_opening_of_the_channel_to_the_others() -> None:
    shared = Shared()
    async with shared.system() as system:
        first, second = (asyncio.ensure_future(system.ref(CounterRef, "c1").get()) for _ in range(2))
        await let_pass(2)
        first.cancel()
        await let_pass(len(PASSES))
        assert shared.left[1] == [system.client.reply_channel]
    with pytest.raises(PlatformError):
        await second


async def test_a_spawn_under_way_is_not_cancelled_by_nobody() -> None:
    shared = Shared()
    async with shared.system() as system:
        spawning = asyncio.ensure_future(system.spawn(LampRef, "l1"))
        await let_pass(2)
    with pytest.raises(PlatformError, match="closed"):
        await spawning


async def test_what_fails_to_close_does_not_keep_the_rest_open(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    closed: list[str] = []

    async def fail(_client: object) -> None:
        closed.append("client")
        raise RuntimeError("broken")

    async def close(_backend: Backend) -> None:
        closed.append("backend")

    monkeypatch.setattr(Backend, "close", close)
    system = ActorSystem(Settings(url="memory://"), observer=shared.watcher)
    await system.__aenter__()
    monkeypatch.setattr(type(system.client), "close", fail)
    with pytest.raises(RuntimeError, match="broken"):
        await system.__aexit__(None, None, None)
    assert closed == ["client", "backend"]


async def test_a_class_is_declared_while_a_ref_without_one_is_looked_up(deployment: Deployment) -> None:
    system = await deployment.system()
    untyped, typed = await asyncio.gather(
        system.ref("Counter", "c1").increment.tell(1),
        system.ref(CounterRef, "c1").increment.tell(1),
        return_exceptions=True,
    )
    assert typed is None
    # Nobody had declared the type when it was looked up, or somebody just had.
    assert untyped is None or isinstance(untyped, UnknownActorTypeError)
    await system.ref("Counter", "c1").increment.tell(1)


async def test_a_call_from_a_loop_in_a_thread_of_a_turn_is_refused(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Detour):
        counter = system.ref(CounterRef, "c1")
        DetourRef.counter = counter
        assert await counter.get() == 0
        with pytest.raises(OutOfTurnError, match="another event loop than that of the turn"):
            await system.ref(DetourRef, "d1").fetch()
        assert await counter.increment(1) == 1


async def test_a_call_from_another_loop_is_refused(deployment: Deployment) -> None:
    system = await deployment.system()
    counter = system.ref(CounterRef, "c1")

    async def use() -> None:
        for call in (counter.get(), counter.increment.tell(1), system.spawn(LampRef, "l1")):
            with pytest.raises(PlatformError, match="opened on another event loop"):
                await call

    await asyncio.to_thread(lambda: asyncio.run(use()))
    async with deployment.worker(Counter):
        assert await counter.increment(1) == 1


async def test_a_ref_of_another_loop_may_be_made_anywhere() -> None:
    async with Shared().system() as system:
        ref = await asyncio.to_thread(make_ref, CounterRef, "c1", system.client)
        assert ref.actor_id == "c1"


async def test_a_worker_declares_a_dedicated_mailbox_the_broker_has_lost(deployment: Deployment) -> None:
    system = await deployment.system()
    await system.backend.store.spawn(Address("Lamp", "lost"))
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Lamp):
        assert await system.ref(LampRef, "lost").switch() is True


async def test_a_running_worker_declares_a_dedicated_mailbox_before_it_consumes_it(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Lamp):
        await system.backend.store.spawn(Address("Lamp", "late"))
        mailbox = topology.Layout("Lamp", partitions=0).mailbox_of("late")
        await deployment.watcher.wait_for(ConsumerOpened, lambda event: event.mailbox == mailbox)
        await system.ref(LampRef, "late").switch.tell()
        await deployment.watcher.wait_for(TurnEnded, lambda event: event.address.id == "late")


async def test_a_spawn_beyond_the_bound_is_refused_and_makes_no_mailbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker_actors.adapters.memory.store.SPAWNED_MAX", 1)
    shared = Shared()
    async with shared.system() as system:
        await system.spawn(LampRef, "l1")
        with pytest.raises(MailboxFullError, match="use shared mailboxes"):
            await system.spawn(LampRef, "l2")
    names = [queue.name for queue in shared.embedded.broker.queues]
    assert "actors.Lamp.g1.id.l1" in names
    assert "actors.Lamp.g1.id.l2" not in names
