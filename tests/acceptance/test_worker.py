"""What a worker does with its actors when things go wrong, or end."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from broker_actors import (
    BusinessError,
    Ref,
    SystemFaultError,
    UnknownActorTypeError,
    actor,
    method,
    turn,
)
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import (
    ConfigurationError,
    OutOfTurnError,
    TopologyMismatchError,
    UndeclaredStateError,
    UndecodableError,
)
from broker_actors.core.events import ConsumerOpened, Trouble, TurnEnded
from broker_actors.core.outgoing import Destination, Outgoing, pack
from broker_actors.ports.commit import Commit
from broker_actors.runtime import relay
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import TWICE, Counter, CounterRef, Lamp, LampRef
from tests.acceptance.watching import HANG_SECONDS


@actor(partitions=1, idle_timeout=0.01, retry=TWICE)
class Gate:
    """Waits in a turn until the test lets it go on."""

    passed: int = 0

    entered: ClassVar[asyncio.Event]
    may_leave: ClassVar[asyncio.Event]
    cancelled: ClassVar[asyncio.Event]
    log: ClassVar[list[str]]

    def activate(self) -> None:
        self.log.append(f"activate {self.passed}")

    async def deactivate(self) -> None:
        self.log.append(f"deactivate {self.passed}")
        self.cancelled.set()

    @method
    async def go_through(self) -> int:
        self.entered.set()
        try:
            await self.may_leave.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.passed += 1
        return self.passed

    @method
    def count(self) -> int:
        return self.passed

    @method
    def leave_something_behind(self) -> None:
        self.surprise = 1

    @method
    def become_wrong(self) -> None:
        self.passed = "many"  # type: ignore[assignment]

    @method
    async def cancel_itself(self) -> None:
        raise asyncio.CancelledError

    @method
    def exit_the_process(self) -> None:
        raise SystemExit(1)

    @method.options(run_in="thread")
    def block(self) -> str:
        return asyncio.run(self._elsewhere())

    async def _elsewhere(self) -> str:
        return "from a thread"

    @method
    async def leak(self) -> None:
        ref = turn.current().ref(GateRef, "other")

        async def late() -> None:
            await self.may_leave.wait()
            try:
                await ref.go_through.tell()
            except OutOfTurnError as error:
                self.log.append(str(error))
            self.cancelled.set()

        self.__class__.leaked = asyncio.create_task(late())  # type: ignore[attr-defined]


class GateRef(Gate, Ref):
    """Typed handle."""


@pytest.fixture(autouse=True)
def gate() -> type[Gate]:
    """Fresh events for each test."""
    Gate.entered, Gate.may_leave, Gate.cancelled, Gate.log = (
        asyncio.Event(),
        asyncio.Event(),
        asyncio.Event(),
        [],
    )
    return Gate


async def happens(event: asyncio.Event) -> None:
    """Wait for *event*, but not for ever."""
    async with asyncio.timeout(HANG_SECONDS):
        await event.wait()


async def test_a_worker_that_lost_its_actor_says_nothing_and_the_successor_answers(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        asking = asyncio.create_task(system.ref(GateRef, "g1").go_through())
        await happens(Gate.entered)
        Gate.entered.clear()
        await system.backend.store.claim(Address("Gate", "g1"), "a successor")
        Gate.may_leave.set()
        assert await asking == 1
        assert await system.ref(GateRef, "g1").count() == 1
    outcomes = [e.outcome for e in deployment.watcher.of(TurnEnded)]
    assert outcomes == ["abandoned", "ok", "ok"]


async def test_a_stopping_worker_finishes_the_turn_that_runs_and_loses_nothing_that_waits(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    ref = system.ref(GateRef, "g1")
    async with deployment.worker(Gate) as worker:
        await ref.go_through.tell()
        await ref.go_through.tell()
        await happens(Gate.entered)
        stopping = asyncio.create_task(worker.stop())
        Gate.may_leave.set()
        await stopping
        assert [e.outcome for e in deployment.watcher.of(TurnEnded)] == ["ok"]
    async with deployment.worker(Gate):
        assert await ref.count() == 2


async def test_a_turn_that_outlasts_the_drain_deadline_runs_again_elsewhere(deployment: Deployment) -> None:
    system = await deployment.system()
    ref = system.ref(GateRef, "g1")
    async with deployment.worker(Gate, drain_timeout_seconds=0.05):
        await ref.go_through.tell()
        await happens(Gate.entered)
    assert "1 turns did not end" in deployment.watcher.of(Trouble)[0].error
    Gate.may_leave.set()
    async with deployment.worker(Gate):
        assert await ref.count() == 1


async def test_an_idle_actor_is_passivated_and_comes_back_with_its_state(deployment: Deployment) -> None:
    system = await deployment.system()
    Gate.may_leave.set()
    async with deployment.worker(Gate) as worker:
        assert await system.ref(GateRef, "g1").go_through() == 1
        await happens(Gate.cancelled)
        assert worker.residents == 0
        assert await system.ref(GateRef, "g1").go_through() == 2
    assert Gate.log == ["activate 0", "deactivate 1", "activate 1", "deactivate 2"]


async def test_a_turn_is_cancelled_at_its_callers_deadline(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        await system.ref(GateRef, "g1").count()
        Gate.cancelled.clear()
        with pytest.raises(TimeoutError):
            await system.ref(GateRef, "g1").with_options(timeout=0.3).go_through()
        await happens(Gate.cancelled)
        assert await system.ref(GateRef, "g1").count() == 0


@pytest.mark.parametrize("name", ["cancel_itself", "exit_the_process"])
async def test_a_method_that_ends_itself_is_a_fault_of_its_own(deployment: Deployment, name: str) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        with pytest.raises(SystemFaultError):
            await system.ref("Gate", "g1").call(name)
        assert await system.ref(GateRef, "g1").count() == 0


async def test_state_nobody_declared_is_refused_with_the_line_to_add(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        with pytest.raises(UndeclaredStateError, match='add "surprise: int" to the class body'):
            await system.ref(GateRef, "g1").leave_something_behind()


async def test_state_of_a_wrong_type_is_refused_before_it_is_committed(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        with pytest.raises(ConfigurationError, match=r"Gate\.passed holds something else"):
            await system.ref(GateRef, "g1").become_wrong()
        assert await system.ref(GateRef, "g1").count() == 0


async def test_a_thread_runs_what_would_block_the_loop(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        assert await system.ref(GateRef, "g1").block() == "from a thread"


async def test_what_is_left_over_from_a_turn_cannot_send(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Gate):
        await system.ref(GateRef, "g1").leak()
        Gate.cancelled.clear()
        Gate.may_leave.set()
        await happens(Gate.cancelled)
    assert any("the turn is over" in line for line in Gate.log)


async def test_a_state_nobody_can_read_is_an_error_to_asks_and_stays_as_it_is(deployment: Deployment) -> None:
    system = await deployment.system()
    address = Address("Counter", "c1")
    store = system.backend.store
    claim = await store.claim(address, "n1")
    await store.commit(Commit(claim, "c1", state=b"rubbish"))
    async with deployment.worker(Counter):
        with pytest.raises(UndecodableError):
            await system.ref(CounterRef, "c1").increment()
    assert (await store.claim(address, "n2")).state == b"rubbish"


async def test_a_layout_other_than_the_recorded_one_is_refused_at_start(deployment: Deployment) -> None:
    async with deployment.worker(Counter):
        pass

    @actor(partitions=3, name="Counter")
    class Wider:
        """The same type with another number of partitions."""

        @method
        def get(self) -> int:
            return 0

    with pytest.raises(TopologyMismatchError, match="2 partitions"):
        async with deployment.worker(Wider):
            pass


async def test_a_tell_in_a_turn_to_a_type_nobody_declared_fails_the_turn(deployment: Deployment) -> None:
    @actor(partitions=1)
    class Shouter:
        """Tells what nobody hears."""

        @method
        async def shout(self) -> None:
            await turn.current().ref("Nobody", "n1").hear.tell()

    system = await deployment.system()
    async with deployment.worker(Shouter):
        with pytest.raises(UnknownActorTypeError, match="Nobody"):
            await system.ref("Shouter", "s1").call("shout")


async def test_a_tell_in_a_turn_declares_the_type_of_its_class(deployment: Deployment) -> None:
    @actor(partitions=1)
    class Early:
        """Tells a counter no worker has run yet."""

        @method
        async def tell(self) -> None:
            await turn.current().ref(CounterRef, "c1").increment.tell()

    system = await deployment.system()
    async with deployment.worker(Early):
        await system.ref("Early", "e1").call("tell")
    async with deployment.worker(Counter):
        assert await system.ref(CounterRef, "c1").get() == 1


async def test_two_workers_share_an_actor_type_and_one_takes_over_from_the_other(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    refs = [system.ref(CounterRef, f"c{n}") for n in range(20)]
    async with deployment.worker(Counter):
        async with deployment.worker(Counter):
            assert await asyncio.gather(*(ref.increment() for ref in refs)) == [1] * 20
        assert await asyncio.gather(*(ref.increment() for ref in refs)) == [2] * 20


async def _leave_behind(deployment: Deployment) -> None:
    """Commit a turn of t1 with a tell to c1, as a worker that dies before it dispatches."""
    store = (await deployment.backend()).store
    told = Envelope(Address("Counter", "c1"), "increment", key="o:n:0")
    claim = await store.claim(Address("Counter", "t1"), "n1")
    await store.commit(Commit(claim, "c", outbox=[pack(Outgoing(Destination.MAILBOX, to_wire(told)))]))


async def test_what_a_dead_worker_committed_is_sent_by_the_next_activation(deployment: Deployment) -> None:
    await _leave_behind(deployment)
    system = await deployment.system()
    async with deployment.worker(Counter):
        await system.ref(CounterRef, "t1").get()
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "increment")
        assert await system.ref(CounterRef, "c1").get() == 1
        assert await system.backend.store.outbox(Address("Counter", "t1")) == {}


async def test_what_a_dead_worker_committed_is_sent_by_the_relay(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LEFTOVER_SECONDS", 0.0)
    await _leave_behind(deployment)
    system = await deployment.system()
    async with deployment.worker(Counter):
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "increment")
        assert await system.ref(CounterRef, "c1").get() == 1


async def test_a_dedicated_actor_spawned_while_the_worker_runs_is_served(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Lamp):
        lamp = await system.spawn(LampRef, "porch")
        await deployment.watcher.wait_for(ConsumerOpened, lambda e: e.mailbox.endswith(".id.porch"))
        assert await lamp.switch() is True


async def test_a_business_error_of_another_actor_passes_through(deployment: Deployment) -> None:
    @actor(partitions=1)
    class Middle:
        """Asks a counter what it refuses."""

        @method
        async def go(self) -> int:
            return await turn.current().ref(CounterRef, "c1").refuse(11)

    system = await deployment.system()
    async with deployment.worker(Counter, Middle):
        with pytest.raises(BusinessError, match="11 is too much"):
            await system.ref("Middle", "m1").call("go")


async def test_beyond_the_cap_the_least_recently_used_leave_memory_and_keep_their_state(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    refs = [system.ref(CounterRef, f"c{n}") for n in range(6)]
    async with deployment.worker(Counter, residents_max=3) as worker:
        for ref in refs:
            await ref.increment()
        await refs[0].increment()
        assert worker.residents <= 4, "one more may be on its way out"
        assert [await ref.increment() for ref in refs] == [3, 2, 2, 2, 2, 2]
