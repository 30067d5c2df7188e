"""Sections of interleaved turns: when they run, what they see and what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from broker_actors import Ref, Retry, SystemFaultError, actor, method, turn
from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError, OutOfTurnError, PlatformError, StoreUnavailableError
from broker_actors.core.events import TurnEnded
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.ledger import StoreLedger
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.acceptance.gate import Gate

pytestmark = pytest.mark.embedded_first

TILL = Address("TillRef", "t1")


class TillRef(Ref):
    """The actor of these tests, as its callers see it."""

    @method
    async def pay(self, n: int) -> int:
        raise NotImplementedError

    @method
    async def pay_slowly(self, n: int) -> int:
        raise NotImplementedError

    @method
    async def total(self) -> int:
        raise NotImplementedError

    @method
    async def run(self, what: str) -> int:
        raise NotImplementedError


@dataclass
class Script:
    """What the interleaved method of a test does."""

    gate: Gate = field(default_factory=Gate)
    runs: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)
    left: list[asyncio.Task[None]] = field(default_factory=list)


def till(script: Script, retry: Retry) -> type:  # noqa: C901 - one way to use sections each
    @actor(partitions=1, retry=retry, name="TillRef")
    class Till:
        """Money, written by ordinary turns and by sections."""

        money: int = 0

        @method
        def pay(self, n: int) -> int:
            self.money += n
            return self.money

        @method
        async def pay_slowly(self, n: int) -> int:
            self.money += n
            async with script.gate.passing():
                return self.money

        @method
        def total(self) -> int:
            return self.money

        @method
        async def run_alone(self) -> None:
            async with turn():
                self.money += 1

        @method.options(interleave=True)
        async def run(self, what: str) -> int:
            script.runs += 1
            script.began.set()
            await getattr(self, f"_{what}")()
            return self.money

        async def _add(self) -> None:
            async with turn():
                self.money += 1

        async def _add_twice(self) -> None:
            await self._add()
            await self._add()

        async def _hold(self) -> None:
            async with turn(), script.gate.passing():
                self.money += 1

        async def _add_then_hold(self) -> None:
            await self._add()
            async with script.gate.passing():
                pass

        async def _fail_inside(self) -> None:
            with suppress(KeyError):
                async with turn():
                    self.money = 99
                    raise KeyError("inside")

        async def _nest(self) -> None:
            async with turn():
                self.money += 1
                await self._add()

        async def _write_after(self) -> None:
            await self._add()
            self.money += 1

        async def _tell(self) -> None:
            async with turn():
                await turn.current().ref(CounterRef, "c1").increment.tell(5)
            async with script.gate.passing():
                await turn.current().ref(CounterRef, "c1").increment.tell(7)

        async def _tell_and_fail(self) -> None:
            with suppress(KeyError):
                async with turn():
                    await turn.current().ref(CounterRef, "c1").increment.tell(5)
                    raise KeyError("inside")
            await turn.current().ref(CounterRef, "c1").increment.tell(7)

        async def _add_and_fail_first(self) -> None:
            await self._add()
            if turn.current().attempt == 1:
                raise OSError("first attempt")
            await self._add()

        async def _add_and_fail_once(self) -> None:
            await self._add()
            if script.runs == 1:
                raise OSError("first call")
            await self._add()

        async def _leave_open(self) -> None:
            async def stay() -> None:
                async with turn(), script.gate.passing():
                    self.money = 99

            script.left.append(asyncio.create_task(stay()))
            await script.gate.holds(1)

    return Till


NOW = Retry(attempts=3, min_backoff=0.01, max_backoff=0.01)
LATER = Retry(attempts=3, min_backoff=2.0, max_backoff=2.0)
NEVER = Retry(attempts=1)


@pytest.fixture
def script() -> Script:
    return Script()


Till = Callable[[Retry], type]


@pytest.fixture
def make(script: Script) -> Till:
    return lambda retry: till(script, retry)


async def test_a_section_writes_and_the_method_goes_on_with_what_is_committed(
    deployment: Deployment, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        assert await ref.pay(5) == 5
        assert await ref.run("add") == 6
        assert await ref.run("add_twice") == 8
        assert await ref.pay(1) == 9
    async with deployment.worker(make(NEVER)):
        assert await ref.total() == 9


async def test_sections_of_many_turns_lose_nothing(deployment: Deployment, make: Till) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        calls = [ref.run("add") if n % 2 else ref.pay(1) for n in range(60)]
        await asyncio.gather(*calls)
        assert await ref.total() == 60


async def test_a_section_waits_for_the_turn_that_runs_and_sees_its_commit(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        paying = asyncio.ensure_future(ref.pay_slowly(5))
        await script.gate.holds(1)
        adding = asyncio.ensure_future(ref.run("add"))
        # An interleaved turn without a section is not held up, so that one began before this answer.
        await script.began.wait()
        assert not adding.done()
        script.gate.open.set()
        assert await paying == 5
        assert await adding == 6


async def test_ordinary_turns_wait_for_an_open_section_and_see_what_it_wrote(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        holding = asyncio.ensure_future(ref.run("hold"))
        await script.gate.holds(1)
        paying = asyncio.ensure_future(ref.pay(5))
        script.gate.open.set()
        assert await holding == 1
        assert await paying == 6


async def test_an_exception_in_a_section_leaves_nothing_of_it(deployment: Deployment, make: Till) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        await ref.pay(5)
        assert await ref.run("fail_inside") == 5
        assert await ref.total() == 5


@pytest.mark.parametrize(
    ("what", "why", "left"),
    [("nest", "neither be nested nor overlap", 0), ("write_after", r"async with turn\(\)", 1)],
)
async def test_what_sections_cannot_do_is_refused(
    deployment: Deployment, make: Till, what: str, why: str, left: int
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        with pytest.raises(PlatformError, match=why):
            await ref.run(what)
        assert await ref.total() == left


async def test_a_section_in_a_method_that_does_not_interleave_is_refused(
    deployment: Deployment, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        with pytest.raises(OutOfTurnError, match="does not interleave"):
            await system.ref("TillRef", "t1").run_alone()


async def test_an_actor_without_durable_state_has_no_sections(deployment: Deployment) -> None:
    @actor(partitions=1, delivery="at_least_once", retry=NEVER)
    class Fleeting:
        """Keeps nothing."""

        @method.options(interleave=True)
        async def run(self) -> None:
            async with turn():
                pass

    system = await deployment.system()
    async with deployment.worker(Fleeting):
        with pytest.raises(ConfigurationError, match="keep no state"):
            await system.ref("Fleeting", "f1").run()


async def test_tells_of_a_section_leave_at_its_end_and_those_of_the_turn_at_the_turns(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER), Counter):
        telling = asyncio.ensure_future(system.ref(TillRef, "t1").run("tell"))
        await script.gate.holds(1)
        counted = await deployment.watcher.wait_for(TurnEnded, lambda event: event.method == "increment")
        assert [event.outcome for event in counted] == ["ok"]
        assert await system.ref(CounterRef, "c1").get() == 5
        script.gate.open.set()
        await telling
        await deployment.watcher.wait_for(TurnEnded, lambda event: event.method == "increment", count=2)
        assert await system.ref(CounterRef, "c1").get() == 12


async def test_tells_of_a_section_that_failed_never_leave(deployment: Deployment, make: Till) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER), Counter):
        await system.ref(TillRef, "t1").run("tell_and_fail")
        await deployment.watcher.wait_for(TurnEnded, lambda event: event.method == "increment")
        assert await system.ref(CounterRef, "c1").get() == 7


@pytest.mark.parametrize("retry", [NOW, LATER], ids=["in place", "through the broker"])
async def test_a_section_is_not_written_again_by_the_next_attempt(
    deployment: Deployment, make: Till, retry: Retry
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(retry)):
        ref = system.ref(TillRef, "t1")
        assert await ref.run("add_and_fail_first") == 2
        assert await ref.total() == 2


async def test_a_section_is_not_written_again_by_another_call_with_the_key_of_one_that_failed(
    deployment: Deployment, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1").with_options(idempotency_key="once")
        with pytest.raises(SystemFaultError, match="first call"):
            await ref.run("add_and_fail_once")
        assert await ref.run("add_and_fail_once") == 2
        assert await system.backend.store.sections(TILL, "k:once") == 0


async def test_a_turn_that_is_over_leaves_no_mark_behind(deployment: Deployment, make: Till) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1").with_options(idempotency_key="once")
        assert await ref.run("add_twice") == 2
        assert await system.backend.store.sections(TILL, "k:once") == 0


async def test_a_turn_whose_actor_was_taken_in_a_section_runs_again_and_writes_once(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        holding = asyncio.ensure_future(ref.run("hold"))
        await script.gate.holds(1)
        await system.backend.store.claim(TILL, "somebody else")
        script.gate.open.set()
        assert await holding == 1
        assert script.runs == 2
        assert await ref.total() == 1
    assert "abandoned" in [event.outcome for event in deployment.watcher.of(TurnEnded)]


async def test_a_section_written_before_the_actor_was_taken_is_not_written_again(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        holding = asyncio.ensure_future(ref.run("add_then_hold"))
        await script.gate.holds(1)
        await system.backend.store.claim(TILL, "somebody else")
        script.gate.open.set()
        assert await holding == 1
        assert script.runs == 2
        assert await ref.total() == 1


async def test_after_a_section_of_which_nothing_is_known_nothing_of_its_turn_leaves(
    deployment: Deployment, script: Script, make: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_section, lost = StoreLedger.commit_section, iter([True])

    async def once_unanswered(
        self: StoreLedger, mark: SectionMark, state: bytes | None, outbox: Sequence[Outgoing]
    ) -> Committed | Fenced:
        if next(lost, False):
            raise StoreUnavailableError("no answer")
        return await commit_section(self, mark, state, outbox)

    monkeypatch.setattr(StoreLedger, "commit_section", once_unanswered)
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        assert await ref.run("add") == 1
        assert script.runs == 2
        assert await ref.total() == 1
    outcomes = [event.outcome for event in deployment.watcher.of(TurnEnded) if event.method == "run"]
    assert outcomes == ["abandoned", "ok"]


async def test_a_section_left_open_is_dropped_with_its_turn(
    deployment: Deployment, script: Script, make: Till
) -> None:
    system = await deployment.system()
    async with deployment.worker(make(NEVER)):
        ref = system.ref(TillRef, "t1")
        assert await ref.run("leave_open") == 0
        assert await ref.pay(5) == 5, "the lane is free"
        script.gate.open.set()
        with pytest.raises(OutOfTurnError, match="is over"):
            await script.left[0]
        assert await ref.total() == 5
