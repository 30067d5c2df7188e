"""A store that comes back as another run: whoever knew more than it does says so, whoever takes the actor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from broker_actors import Settings, Worker
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core.events import StoreRolledBack, TurnEnded
from broker_actors.runtime import sharing
from broker_actors.runtime.lookout import Lookout
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Teller, TellerRef
from tests.acceptance.going_back import Mortal, MortalMemory, MortalRedis
from tests.acceptance.test_sharing import HANG_SECONDS, until

IDS = tuple(f"c{n}" for n in range(8))


@pytest.fixture(params=["embedded", "real"])
async def mortal(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Deployment, Mortal]]:
    """A deployment, and its store, which can be set back."""
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            embedded = Embedded()
            store = embedded.store = MortalMemory(embedded.clock)
            yield Deployment(Settings(), embedded, stack), store
        else:
            server = request.getfixturevalue("redis_server")
            settings = Settings(url=request.getfixturevalue("amqp_url"), redis_url=server.url)
            yield Deployment(settings, None, stack), MortalRedis(server)


class Looks:
    """How often each worker has looked at the store since it was asked to be counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ended = asyncio.Event()
        self._count = 0
        #: Whether anybody may look.
        self.may = asyncio.Event()
        self.may.set()
        right = Lookout.look

        async def look(lookout: Lookout) -> None:
            await self.may.wait()
            await right(lookout)
            self._count += 1
            self._ended.set()

        monkeypatch.setattr(Lookout, "look", look)

    async def more(self, count: int) -> None:
        """Return after so many more."""
        wanted = self._count + count
        async with asyncio.timeout(HANG_SECONDS):
            while self._count < wanted:
                self._ended.clear()
                await self._ended.wait()


@asynccontextmanager
async def taken_over(
    deployment: Deployment, first: Worker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    """Run a worker that has every mailbox, when *first* has given them up and goes on."""

    def rankings(mailboxes: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
        return dict.fromkeys(mailboxes, sorted(names, key=lambda name: name == first.name))

    async def met() -> bool:
        return first.residents == 0

    monkeypatch.setattr(sharing, "rankings", rankings)
    async with deployment.worker(Counter, Teller) as other:
        await until(met)
        yield other


async def test_a_restart_without_loss_is_silent_and_loses_nothing(
    mortal: tuple[Deployment, Mortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, store = mortal
    looks = Looks(monkeypatch)
    system = await deployment.system()
    async with deployment.worker(Counter) as worker:
        counter = system.ref(CounterRef, "c1")
        for text in "abc":
            await counter.append.tell(text)
        assert await counter.read() == "abc"
        assert worker.residents == 1
        sending = asyncio.create_task(_append(counter, "defghij"))
        await store.restart()
        await sending
        await looks.more(2)
        assert await counter.read() == "abcdefghij"
    assert deployment.watcher.of(StoreRolledBack) == []


async def _append(counter: CounterRef, text: str) -> None:
    for one in text:
        await counter.append.tell(one)


async def test_another_run_of_the_store_lets_every_actor_go(
    mortal: tuple[Deployment, Mortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, store = mortal
    looks = Looks(monkeypatch)
    system = await deployment.system()
    async with deployment.worker(Counter) as worker:
        assert [await system.ref(CounterRef, one).increment() for one in IDS] == [1] * len(IDS)
        await looks.more(2)
        assert worker.residents == len(IDS)
        await store.restart()

        async def met() -> bool:
            return worker.residents == 0

        await until(met)
        assert [await system.ref(CounterRef, one).increment() for one in IDS] == [2] * len(IDS)


async def test_it_is_said_although_another_worker_took_the_actor_first(
    mortal: tuple[Deployment, Mortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the actor becomes a new sender there: what it tells next has no number that was used before."""
    deployment, store = mortal
    looks = Looks(monkeypatch)
    system = await deployment.system()
    heard, taken = system.ref(CounterRef, "heard"), system.ref(TellerRef, IDS[0])
    told = 5 * len(IDS)

    async def has_heard(times: int) -> None:
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "increment", times)

    async with deployment.worker(Counter, Teller) as first, AsyncExitStack() as later:
        for one in IDS:
            await system.ref(TellerRef, one).pass_on("heard", 1)
        async with store.going_back("Teller"):
            for one in IDS:
                for _ in range(4):
                    await system.ref(TellerRef, one).pass_on("heard", 1)
            await has_heard(told)
            other = await later.enter_async_context(taken_over(deployment, first, monkeypatch))
        assert await taken.get() == 1
        assert (first.residents, other.residents) == (0, 1)
        await deployment.watcher.wait_for(StoreRolledBack, count=len(IDS))
        await looks.more(4)
        assert await heard.get() == told
        # With the number of the second one, had it not become a new sender.
        assert await taken.pass_on("heard", 1) == 2
        # Also one that is ignored is a turn that ended.
        await has_heard(told + 1)
        assert await heard.get() == told + 1
        await looks.more(4)
    events = deployment.watcher.of(StoreRolledBack)
    assert sorted(event.address.id for event in events) == sorted(IDS)
    assert {event.version for event in events} == {5}


async def test_it_is_said_although_the_actor_has_as_many_commits_again(
    mortal: tuple[Deployment, Mortal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it has told by then had no number that was used before."""
    deployment, store = mortal
    looks = Looks(monkeypatch)
    system = await deployment.system()
    heard, taken = system.ref(CounterRef, "heard"), system.ref(TellerRef, "c1")

    async def has_heard(times: int) -> None:
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "increment", times)
        assert await heard.get() == times

    async with deployment.worker(Counter, Teller) as first, AsyncExitStack() as later:
        await taken.pass_on("heard", 1)
        async with store.going_back("Teller"):
            for _ in range(4):
                await taken.pass_on("heard", 1)
            await has_heard(5)
            await later.enter_async_context(taken_over(deployment, first, monkeypatch))
            looks.may.clear()
        assert [await taken.pass_on("heard", 1) for _ in range(6)] == [2, 3, 4, 5, 6, 7]
        await has_heard(11)
        assert deployment.watcher.of(StoreRolledBack) == []
        looks.may.set()
        [event] = await deployment.watcher.wait_for(StoreRolledBack)
        assert (event.address.id, event.version, event.found) == ("c1", 5, 1)
        await looks.more(4)
        # Who has the actor keeps it.
        assert await taken.pass_on("heard", 1) == 8
        await has_heard(12)
    assert len(deployment.watcher.of(StoreRolledBack)) == 1
