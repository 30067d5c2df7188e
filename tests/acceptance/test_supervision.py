"""Actors that fail too often are suspended: asks fail at once, tells wait, an operator resumes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from broker_actors import ActorSystem, BusinessError, Ref, Retry, SystemFaultError, actor, method
from broker_actors.core.address import Address
from broker_actors.core.errors import ActorSuspendedError, StateUndecodableError
from broker_actors.core.events import ActorResumed, ActorSuspended, TurnEnded
from broker_actors.core.parking import wake_of
from broker_actors.core.suspension import Cause
from broker_actors.ports.store import Snapshot
from broker_actors.runtime.suspending import resume, suspend
from tests.acceptance.conftest import Deployment
from tests.acceptance.dead_letters import take

pytestmark = pytest.mark.embedded_first

NO_RETRY = Retry(attempts=1)
ADDRESS = Address("Fragile", "f1")


@actor(
    partitions=1,
    retry=NO_RETRY,
    restart_policy="on_failure",
    max_restarts=2,
    min_backoff=0.01,
    max_backoff=0.02,
)
class Fragile:
    """Breaks when it is told to, as long as the world is broken."""

    is_mended: ClassVar[bool] = False

    seen: list[int]

    def __init__(self) -> None:
        self.seen = []

    @method
    def note(self, n: int) -> None:
        self.seen.append(n)

    @method
    def read(self) -> list[int]:
        return self.seen

    @method
    def refuse(self) -> None:
        raise BusinessError("no")

    @method
    def fail(self) -> None:
        text = "boom"
        raise ValueError(text)

    @method.options(retry=Retry(attempts=5, min_backoff=0.001, max_backoff=0.002))
    def fail_until_mended(self, n: int) -> None:
        if not Fragile.is_mended:
            text = "broken"
            raise ValueError(text)
        self.seen.append(n)

    @method.options(interleave=True)
    async def look(self) -> list[int]:
        return list(self.seen)

    @method
    async def stream(self) -> AsyncIterator[int]:
        for n in self.seen:
            yield n


class FragileRef(Fragile, Ref): ...


@pytest.fixture(autouse=True)
def broken_world() -> None:
    """Break the world."""
    Fragile.is_mended = False


async def break_it(fragile: FragileRef) -> None:
    """Fail as often as it takes."""
    for _ in range(3):
        with pytest.raises(SystemFaultError, match="ValueError: boom"):
            await fragile.fail()


async def resumed(system: ActorSystem, address: Address = ADDRESS) -> None:
    """Do what `broker-actors actors resume` does."""
    backend = system.backend
    assert await resume(backend.store, backend.clock, address) is not None
    await system.dispatch.send(wake_of(address, backend.clock.now_ms()))


async def looked_at(system: ActorSystem, address: Address = ADDRESS) -> Snapshot:
    snapshot = await system.backend.store.peek(address)
    assert snapshot is not None
    return snapshot


async def parked(system: ActorSystem, count: int) -> None:
    """Return as soon as so many are parked; what parks them is no turn, and so no event tells."""
    async with asyncio.timeout(30):
        while (await looked_at(system)).parked.entries != count:
            await system.backend.clock.sleep(0.01)


async def test_an_actor_that_fails_once_too_often_is_suspended(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        with pytest.raises(
            ActorSuspendedError, match=r"Fragile/f1 is suspended \(faults: failed 3 times .*boom"
        ):
            await fragile.read()
        await system.ref(FragileRef, "f2").note(1)
    (event,) = deployment.watcher.of(ActorSuspended)
    assert (event.address, event.cause) == (ADDRESS, Cause.FAULTS)


async def test_refusals_do_not_count(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        for _ in range(5):
            with pytest.raises(BusinessError):
                await fragile.refuse()
        await fragile.note(1)
        assert await fragile.read() == [1]


async def test_who_never_restarts_is_never_suspended(deployment: Deployment) -> None:
    @actor(name="Fragile", partitions=1, retry=NO_RETRY)
    class Never(Fragile): ...

    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Never):
        await break_it(fragile)
        await break_it(fragile)
        assert await fragile.read() == []


async def test_an_interleaved_ask_fails_at_once_too(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        with pytest.raises(ActorSuspendedError):
            await fragile.look()


async def test_a_stream_of_a_suspended_actor_ends_at_once(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        with pytest.raises(ActorSuspendedError):
            async for _ in fragile.stream():
                pass


async def test_an_interleaved_tell_to_a_suspended_actor_comes_back_later(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        await fragile.look.tell()
        (turn,) = await deployment.watcher.wait_for(TurnEnded, lambda one: one.method == "look")
        assert turn.outcome == "suspended"
    assert (await looked_at(system)).outbox == {}


async def test_tells_to_a_suspended_actor_run_in_order_once_it_is_resumed(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        for n in range(20):
            await fragile.note.tell(n)
        await parked(system, 20)
        await resumed(system)
        await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.method, one.outcome) == ("note", "ok"), 20
        )
        await fragile.note(20)
        assert await fragile.read() == list(range(21))
    assert (await looked_at(system)).parked.entries == 0


async def test_a_suspension_survives_its_worker_and_so_does_what_waits(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await break_it(fragile)
        for n in range(5):
            await fragile.note.tell(n)
        await parked(system, 5)
    for n in range(5, 8):
        await fragile.note.tell(n)
    async with deployment.worker(Fragile):
        with pytest.raises(ActorSuspendedError):
            await fragile.read()
        await parked(system, 8)
    await resumed(system)
    async with deployment.worker(Fragile):
        await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.method, one.outcome) == ("note", "ok"), 8
        )
        assert await fragile.read() == list(range(8))


async def test_the_message_that_suspended_it_runs_first_when_it_is_resumed(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await fragile.fail_until_mended.tell(0)
        await fragile.note.tell(1)
        await deployment.watcher.wait_for(ActorSuspended)
        await parked(system, 2)
        Fragile.is_mended = True
        await resumed(system)
        (turn,) = await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.method, one.outcome) == ("fail_until_mended", "ok")
        )
        assert turn.attempt == 4
        await deployment.watcher.wait_for(TurnEnded, lambda one: (one.method, one.outcome) == ("note", "ok"))
        assert await fragile.read() == [0, 1]


async def test_a_resumed_actor_that_still_fails_is_suspended_again(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await fragile.fail_until_mended.tell(0)
        await deployment.watcher.wait_for(ActorSuspended)
        await resumed(system)
        (letter,) = await take(system.backend.transport, "Fragile", 1)
        assert (letter.reason, letter.error) == ("failed", "ValueError: broken")
        assert await fragile.read() == []


async def test_an_operator_suspends_a_running_actor(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    backend = system.backend
    async with deployment.worker(Fragile):
        await fragile.note(1)
        await suspend(backend.store, backend.clock, ADDRESS, "looking at it")
        with pytest.raises(ActorSuspendedError, match="operator: looking at it"):
            await fragile.read()
        await fragile.note.tell(2)
        await parked(system, 1)
        await resumed(system)
        await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.method, one.outcome) == ("note", "ok"), 2
        )
        assert await fragile.read() == [1, 2]
    assert [why.cause for why in deployment.watcher.of(ActorSuspended)] == []


@actor(name="Fragile", partitions=1, retry=NO_RETRY)
class Unreadable:
    """A release that cannot read the states of the other one."""

    seen: int = 0

    @method
    def note(self, n: int) -> None:
        self.seen += n

    @method
    def read(self) -> int:
        return self.seen


async def test_a_state_nobody_can_read_suspends_until_a_worker_can(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await fragile.note(1)
    before = (await looked_at(system)).state
    async with deployment.worker(Unreadable):
        await fragile.note.tell(2)
        await deployment.watcher.wait_for(ActorSuspended, lambda one: one.cause == Cause.STATE_UNDECODABLE)
        await fragile.note.tell(3)
        await parked(system, 2)
        with pytest.raises(ActorSuspendedError, match=r"Fragile\.|state_undecodable: StateUndecodableError"):
            await fragile.read()
    assert (await looked_at(system)).state == before
    async with deployment.worker(Fragile):
        await system.dispatch.send(wake_of(ADDRESS, system.backend.clock.now_ms()))
        await deployment.watcher.wait_for(ActorResumed)
        await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.method, one.outcome) == ("note", "ok"), 3
        )
        assert await fragile.read() == [1, 2, 3]


async def test_the_ask_that_finds_the_state_unreadable_is_told_why(deployment: Deployment) -> None:
    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Fragile):
        await fragile.note(1)
    async with deployment.worker(Unreadable):
        with pytest.raises(StateUndecodableError, match=r"Fragile/f1: .* Unreadable\.seen"):
            await fragile.read()
        with pytest.raises(ActorSuspendedError):
            await fragile.read()
    async with deployment.worker(Fragile):
        assert await fragile.read() == [1]


async def test_between_two_faults_the_actor_rests_and_its_neighbours_go_on(deployment: Deployment) -> None:
    @actor(
        name="Fragile",
        partitions=1,
        retry=NO_RETRY,
        restart_policy="on_failure",
        min_backoff=300,
        max_backoff=300,
    )
    class Resting(Fragile): ...

    system = await deployment.system()
    fragile = system.ref(FragileRef, "f1")
    async with deployment.worker(Resting):
        with pytest.raises(SystemFaultError):
            await fragile.fail()
        await fragile.note.tell(1)
        # Behind that in the mailbox, so that the tell is in its lane by now.
        await system.ref(FragileRef, "f2").note(1)
        assert [one.method for one in deployment.watcher.of(TurnEnded) if one.address == ADDRESS] == ["fail"]
    async with deployment.worker(Resting):
        await deployment.watcher.wait_for(
            TurnEnded, lambda one: (one.address, one.method) == (ADDRESS, "note")
        )
        assert await fragile.read() == [1]
