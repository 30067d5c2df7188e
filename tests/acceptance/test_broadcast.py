"""Broadcast: all begin before any is waited for, and each has an outcome of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from broker_actors import (
    ActorSystem,
    BusinessError,
    ConfigurationError,
    InvalidArgumentsError,
    PlatformError,
    Ref,
    Settings,
    UnknownActorTypeError,
    method,
)
from broker_actors.actor.spec import spec_of
from broker_actors.adapters.memory.transport import MemoryBroker, MemoryTransport
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.patterns import Failed, Ok, broadcast
from tests.acceptance.conftest import Deployment
from tests.acceptance.gate import Gate
from tests.acceptance.listeners import Crier, Crying, Listener, listener, listeners, numbered
from tests.acceptance.watching import HANG_SECONDS, Watcher

pytestmark = pytest.mark.embedded_first

#: A deadline that passes while a test waits for it.
SOON: Final = 0.3
#: One that leaves time for a quick answer.
LATER: Final = 1.0


class Absent(Ref):
    """A type nobody has declared."""

    @method
    async def hear(self, word: str) -> str:
        raise NotImplementedError

    @method
    async def linger(self, word: str) -> str:
        raise NotImplementedError


async def test_every_target_has_an_outcome_of_its_own_in_order(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(listener(gate)):
        refs = listeners(system, "quick1", "hangs", "quick2")
        # Its own, so that those who answer have the time they need.
        refs[1] = refs[1].with_options(timeout=SOON)
        outcomes = await broadcast(refs).ask(Listener.linger, "hi")
        heard = await broadcast(listeners(system, "a", "deaf", "b")).ask(Listener.hear, "hi")
    assert [ref for ref, _ in outcomes] == refs
    assert outcomes.ok == [(refs[0], "quick1: hi"), (refs[2], "quick2: hi")]
    assert (outcomes.timeouts, outcomes.errors) == ([refs[1]], [])
    first, second, third = heard.outcomes
    assert (first, third) == (Ok("a: hi"), Ok("b: hi"))
    assert isinstance(second, Failed)
    assert isinstance(second.error, BusinessError)
    with pytest.raises(ExceptionGroup, match="1 of 3 gave no value"):
        heard.values()


async def test_all_have_begun_before_any_is_waited_for(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(listener(gate)), asyncio.TaskGroup() as group:
        asking = group.create_task(
            broadcast(listeners(system, *numbered(20))).ask(Listener.linger, "together")
        )
        # Nobody is let out before all are in: one after the other would never end.
        await gate.holds(20)
        gate.open.set()
        outcomes = await asking
    assert outcomes.values() == [f"l{n}: together" for n in range(20)]


async def test_no_more_than_the_concurrency_are_under_way(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    refs = listeners(system, *numbered(12))
    async with deployment.worker(listener(gate)), asyncio.TaskGroup() as group:
        asking = group.create_task(broadcast(refs, concurrency=3).ask(Listener.linger, "hi"))
        await gate.holds(3)
        gate.open.set()
        outcomes = await asking
    assert len(outcomes.ok) == 12
    assert gate.most == 3


async def test_an_overall_timeout_ends_what_hangs_and_keeps_what_has_ended(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    ids = ["quick1", "hangs1", "hangs2", "never-begun", "quick2"]
    refs = listeners(system, *ids)
    async with deployment.worker(listener(gate)):
        # What the first call of a client takes longer is no part of the deadline.
        await refs[0].hear("hello")
        outcomes = await broadcast(refs, overall=LATER, concurrency=2).ask(Listener.linger, "hi")
        # What hung on the worker ends there too, and what was not begun never comes.
        async with asyncio.timeout(HANG_SECONDS):
            await gate.holds(0)
    assert outcomes.ok == [(refs[0], "quick1: hi")]
    assert outcomes.timeouts == refs[1:]
    assert gate.most == 2


async def test_a_target_nobody_serves_holds_up_nobody(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(listener(Gate())):
        mixed = [system.ref(Absent, "a"), *listeners(system, "b", "c")]
        outcomes = await broadcast(mixed).tell(Listener.hear, "hi")
        asked = await broadcast(mixed).ask(Listener.hear, "ho")
        words = [await ref.heard() for ref in listeners(system, "b", "c")]
    for found in (outcomes, asked):
        ((_, error),) = found.errors
        assert isinstance(error, UnknownActorTypeError)
        assert len(found.ok) == 2
    assert words == [["hi", "ho"]] * 2


async def test_a_caller_that_is_cancelled_leaves_nothing_running(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(listener(gate)):
        asking = asyncio.create_task(broadcast(listeners(system, *numbered(5))).ask(Listener.linger, "hi"))
        await gate.holds(5)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        async with asyncio.timeout(HANG_SECONDS):
            await gate.holds(0)


async def test_closing_the_system_ends_every_ask_with_an_error(deployment: Deployment) -> None:
    gate = Gate()
    system = ActorSystem(deployment.settings, observer=deployment.watcher, backend=await deployment.backend())
    async with deployment.worker(listener(gate)):
        async with system:
            refs = listeners(system, *numbered(3))
            asking = asyncio.create_task(broadcast(refs).ask(Listener.linger, "hi"))
            await gate.holds(3)
        outcomes = await asking
    assert [type(error) for _, error in outcomes.errors] == [PlatformError] * 3


async def test_a_call_that_fits_none_is_not_sent_to_any(deployment: Deployment) -> None:
    system = await deployment.system()
    refs = listeners(system, "a")
    with pytest.raises(InvalidArgumentsError):
        await broadcast(refs).ask(Listener.hear, "a", "b")  # type: ignore[call-arg] # which is what is tested
    with pytest.raises(AttributeError, match="no method 'cry'"):
        await broadcast(refs).tell(Crier.cry, [], "", fails=False)
    with pytest.raises(ConfigurationError, match="concurrency=0"):
        broadcast(refs, concurrency=0)


async def test_nobody_to_call_is_no_error(deployment: Deployment) -> None:
    await deployment.system()
    nobody: list[Listener] = []
    assert (await broadcast(nobody).ask(Listener.hear, "hi")).values() == []
    assert (await broadcast(nobody, overall=1).tell(Listener.hear, "hi")).values() == []


async def test_what_is_told_to_many_arrives_once_at_each(deployment: Deployment) -> None:
    system = await deployment.system()
    refs = listeners(system, *numbered(300))
    async with deployment.worker(listener(Gate())):
        for word in ("first", "second"):
            assert len((await broadcast(refs).tell(Listener.hear, word)).ok) == 300
        heard = (await broadcast(refs).ask(Listener.heard)).values()
    assert heard == [["first", "second"]] * 300


@pytest.mark.verify
async def test_ten_thousand_are_told_on_any_broker(deployment: Deployment) -> None:
    system = await deployment.system()
    await system.dispatch.layout("Listener", spec_of(listener(Gate())).layout)
    outcomes = await broadcast(listeners(system, *numbered(10_000))).tell(Listener.hear, "hi")
    assert len(outcomes.ok) == 10_000


async def test_the_shortest_of_all_deadlines_counts(deployment: Deployment) -> None:
    gate = Gate()
    system = await deployment.system()
    async with deployment.worker(listener(gate)):
        (ref,) = listeners(system, "hangs")
        brief = ref.with_options(timeout=SOON)
        for call in (broadcast([brief], overall=60), broadcast([ref], timeout=SOON, overall=60)):
            assert (await call.ask(Listener.linger, "hi")).timeouts == [ref]


async def test_in_a_turn_tells_leave_with_its_commit_or_not_at_all(deployment: Deployment) -> None:
    system = await deployment.system()
    crier, ids = system.ref(Crier, "c"), list(numbered(3))
    async with deployment.worker(listener(Gate()), Crying):
        with pytest.raises(BusinessError):
            await crier.cry(ids, "taken back", fails=True)
        assert await crier.cry(ids, "hear ye", fails=False) == 3
        assert await crier.poll(ids, "well?") == [f"l{n}: well?" for n in range(3)]
        heard = (await broadcast(listeners(system, *ids)).ask(Listener.heard)).values()
    assert [sorted(words) for words in heard] == [["hear ye", "well?"]] * 3


class Counting(MemoryTransport):
    """Counts what it is asked, and how many messages wait for their confirm together."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        #: The lowest number each sender still awaited.
        self.lows: list[int] = []

    alone = 0
    together = 0
    tasks_most = 0

    async def publish(self, route: Route, message: WireMessage) -> None:
        self.alone += 1
        await super().publish(route, message)

    async def publish_all(
        self, messages: Sequence[tuple[Route, WireMessage]]
    ) -> Sequence[PlatformError | None]:
        self.together += len(messages)
        self.lows += [int(str(message.headers["ba-low"])) for _, message in messages]
        self.tasks_most = max(self.tasks_most, len(asyncio.all_tasks()))
        return await super().publish_all(messages)


async def test_ten_thousand_are_told_by_one_pipelined_publish() -> None:
    embedded, watcher = Embedded(), Watcher()
    transport = Counting(embedded.broker)
    backend = replace(embedded.backend(watcher), transport=transport)
    async with ActorSystem(Settings(), observer=watcher, backend=backend) as system:
        await system.dispatch.layout("Listener", spec_of(listener(Gate())).layout)
        refs = listeners(system, *numbered(10_000))
        outcomes = await broadcast(refs).tell(Listener.hear, "hi")
    assert len(outcomes.ok) == 10_000
    assert sum(queue.held for queue in embedded.broker.queues) == 10_000
    # Together, and not by ten thousand who wait for one confirm each.
    assert (transport.alone, transport.together) == (0, 10_000)
    assert transport.tasks_most < 20


async def test_what_was_confirmed_together_is_not_awaited_any_more() -> None:
    embedded, watcher = Embedded(), Watcher()
    transport = Counting(embedded.broker)
    backend = replace(embedded.backend(watcher), transport=transport)
    async with ActorSystem(Settings(), observer=watcher, backend=backend) as system:
        await system.dispatch.layout("Listener", spec_of(listener(Gate())).layout)
        for _ in range(3):
            await broadcast(listeners(system, "a", "b")).tell(Listener.hear, "hi")
    assert transport.lows == [1, 1, 2, 2, 3, 3]
