"""User code that raises the unexpected, senders that send the least: nothing is corrupted or lost."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from broker_actors import ConfigurationError, Ref, SystemFaultError, Worker, actor, method, turn
from broker_actors.core.events import TurnEnded
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import TWICE, Counter, CounterRef
from tests.acceptance.dead_letters import take


class Panic(BaseException):
    """What extension modules raise when they give up."""


class UnreadableError(Exception):
    """Cannot even be described."""

    def __str__(self) -> NoReturn:
        raise Panic


@actor(partitions=1, retry=TWICE)
class Rogue:
    """Changes its state, then misbehaves."""

    value: int = 0

    @method
    def add(self, n: int) -> int:
        self.value += n
        return self.value

    @method
    def panic(self) -> None:
        self.value += 100
        raise Panic

    @method
    def unreadable(self) -> None:
        self.value += 100
        raise UnreadableError

    @method
    def syntax(self) -> None:
        self.value += 100
        raise SyntaxError("m", ("f", 1, 1, 5))  # type: ignore[arg-type] # as wrong as user code may be

    @method
    async def cancel_the_task(self) -> None:
        self.value += 100
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    @method.options(run_in="thread")
    def stop_iteration(self) -> int:
        return next(iter([]))

    @method
    async def tell_in_a_thousand_years(self) -> None:
        await turn.current().ref(CounterRef, "c1").increment.tell_after(1e20, 1)


class RogueRef(Rogue, Ref):
    """Typed handle."""


@pytest.mark.parametrize("name", ["panic", "unreadable", "syntax", "cancel_the_task", "stop_iteration"])
async def test_whatever_a_method_raises_it_fails_alone_and_leaves_no_state(
    deployment: Deployment, name: str
) -> None:
    system = await deployment.system()
    async with deployment.worker(Rogue):
        assert await system.ref(RogueRef, "r1").add(1) == 1
        with pytest.raises(SystemFaultError):
            await system.ref("Rogue", "r1").call(name)
        assert await system.ref(RogueRef, "r1").add(1) == 2
        assert await system.ref(RogueRef, "r2").add(1) == 1


async def test_a_delay_nobody_lives_to_see_is_an_error_of_the_method(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Rogue):
        with pytest.raises(ConfigurationError, match="a hundred years"):
            await system.ref(RogueRef, "r1").tell_in_a_thousand_years()
        assert await system.ref(RogueRef, "r1").add(1) == 1


@actor(partitions=1, retry=TWICE)
class Till:
    """Fails once, then counts; asks a counter for each payment."""

    paid: int = 0

    @method
    def pay(self, n: int) -> int:
        if turn.current().attempt == 1:
            text = "out of order"
            raise RuntimeError(text)
        self.paid += n
        return self.paid

    @method
    async def forward(self) -> None:
        await turn.current().ref(CounterRef, "c1").increment(5)

    @method
    def total(self) -> int:
        return self.paid


class TillRef(Till, Ref):
    """Typed handle."""


async def publish_foreign(deployment: Deployment, method_name: str, body: bytes, message_id: str) -> None:
    """Put the same foreign message into a till's mailbox three times."""
    system = await deployment.system()
    layout = await system.dispatch.layout("Till")
    message = WireMessage(
        {"ba-type": "Till", "ba-id": "t1"}, body, "application/json", method_name, message_id=message_id
    )
    for _ in range(3):
        await system.backend.transport.publish(Route("actors", layout.key_of("t1")), message)


@pytest.mark.parametrize("message_id", ["", "always the same"])
async def test_foreign_messages_that_look_alike_are_each_run(deployment: Deployment, message_id: str) -> None:
    system = await deployment.system()
    async with deployment.worker(Till, Counter):
        await publish_foreign(deployment, "pay", b'{"args": [5]}', message_id)
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "pay" and e.outcome == "ok", 3)
        assert await system.ref(TillRef, "t1").total() == 15


async def test_the_asks_of_foreign_messages_that_look_alike_are_each_made(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Till, Counter):
        await publish_foreign(deployment, "forward", b"", "")
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "forward" and e.outcome == "ok", 3)
        assert await system.ref(CounterRef, "c1").get() == 15


@actor(partitions=1, delivery="at_least_once", retry=TWICE)
class Volatile:
    """Has no outbox, and tells what cannot be told."""

    @method
    async def shout(self) -> None:
        await turn.current().ref(LonelyRef, "nobody spawned me").hear.tell()


@actor(mailbox="dedicated")
class Lonely:
    """Has no mailbox until it is spawned."""

    @method
    def hear(self) -> None:
        """Nothing to do."""


class LonelyRef(Lonely, Ref):
    """Typed handle."""


async def test_without_an_outbox_a_tell_that_cannot_be_sent_ends_in_the_dead_letters(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Volatile):
        await system.ref("Volatile", "v1").shout.tell()
        (letter,) = await take(system.backend.transport, "Volatile", 1)
    assert letter.reason == "failed"
    assert "UnroutableError" in letter.error


async def test_a_worker_runs_once(deployment: Deployment) -> None:
    system = await deployment.system()
    worker = Worker(system, Counter)
    async with worker:
        pass
    with pytest.raises(ConfigurationError, match="make a new one"):
        async with worker:
            pass


async def test_a_turn_counts_as_waiting_once_however_much_it_asks(deployment: Deployment) -> None:
    @actor(partitions=1)
    class Broad:
        """Asks ten at a time."""

        @method
        async def inquire(self) -> list[int]:
            refs = [turn.current().ref(CounterRef, f"c{n}") for n in range(10)]
            return await asyncio.gather(*(ref.increment() for ref in refs))

    system = await deployment.system()
    async with deployment.worker(Broad, Counter, running_max=1) as worker:
        assert await system.ref("Broad", "b1").call("inquire") == [1] * 10
        assert worker.residents == 11


async def test_a_stopping_worker_still_runs_what_its_own_turns_wait_for(deployment: Deployment) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    @actor(partitions=1)
    class Asker:
        """Asks while its worker stops."""

        @method
        async def inquire(self) -> int:
            entered.set()
            await leave.wait()
            return await turn.current().ref(CounterRef, "c1").increment()

    system = await deployment.system()
    async with deployment.worker(Asker, Counter) as worker:
        asking = asyncio.create_task(system.ref("Asker", "a1").call("inquire"))
        await entered.wait()
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0)
        leave.set()
        await stopping
        assert await asking == 1


@actor(partitions=1, retry=TWICE)
class Moody:
    """Its hooks raise."""

    value: int = 0

    async def activate(self) -> None:
        if turn.current().actor_id == "never":
            text = "not today"
            raise RuntimeError(text)

    def deactivate(self) -> None:
        raise SystemExit(1)

    @method
    def add(self) -> int:
        self.value += 1
        return self.value


class MoodyRef(Moody, Ref):
    """Typed handle."""


async def test_a_hook_that_raises_is_a_fault_of_its_actor_and_of_nobody_else(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Moody):
        with pytest.raises(SystemFaultError, match="not today"):
            await system.ref(MoodyRef, "never").add()
        assert await system.ref(MoodyRef, "always").add() == 1
    async with deployment.worker(Moody):
        assert await system.ref(MoodyRef, "always").add() == 2
