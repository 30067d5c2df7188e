"""Sending dead letters again, on the embedded broker with a real worker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from broker_actors import ActorSystem, Ref, Worker, actor, method
from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.transport import MemoryTransport
from broker_actors.bootstrap.backend import Embedded
from broker_actors.cli.letters import browse, lying
from broker_actors.cli.redriving import Orders, Outcome, send_again
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import BrokerUnavailableError, ErrorRecord, MailboxFullError
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.wire import WireMessage
from broker_actors.observability.logs import LoggingObserver

FAULT = ErrorRecord("SystemFaultError", "ValueError", "boom")


@actor(partitions=1)
class Tally:
    value: int = 0

    @method
    def add(self) -> int:
        self.value += 1
        return self.value


class TallyRef(Tally, Ref): ...


class SlowClock(SystemClock):
    """Remembers what was waited for, and waits for none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self._seconds = 0.0

    def monotonic_seconds(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self._seconds += max(0.0, seconds)
        self.slept.append(round(seconds, 3))
        await super().sleep(0)


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """Knows the type Tally, whose worker has yet to start."""
    system = ActorSystem(backend=Embedded().backend(LoggingObserver()))
    async with system:
        await system.dispatch.layout("Tally", topology.Layout("Tally", partitions=1))
        yield system


async def bury(system: ActorSystem, *ids: str) -> None:
    for actor_id in ids:
        envelope = Envelope(Address("Tally", actor_id), "add", b'{"args":[],"kwargs":{}}', "application/json")
        letter = dead.of_envelope(envelope, Reason.FAILED, FAULT, origin="actors.Tally.g1.0", now_ms=1)
        await system.dispatch.send(letter)


async def listed(system: ActorSystem) -> list[str]:
    found = await browse(system.backend.transport, "Tally", limit=100)
    return [str(dead.address_of(letter)).removeprefix("Tally/") for letter in found]


async def effects(system: ActorSystem, *ids: str) -> list[int]:
    """Return how often each was told, itself included: the ask queues behind what was sent."""
    async with Worker(system, Tally):
        return [await system.ref(TallyRef, actor_id).add() - 1 for actor_id in ids]


class Redriving:
    """What to redrive, and what was said meanwhile."""

    def __init__(self, system: ActorSystem, *ids: str) -> None:
        self.system = system
        self.ids = ids
        self.clock = SlowClock()
        self.told: list[str] = []

    def _matches(self, letter: DeadLetter) -> bool:
        address = dead.address_of(letter)
        return not self.ids or (address is not None and address.id in self.ids)

    async def run(
        self, *, dry_run: bool = False, limit: int = 1_000, rate: float = 100, send: object = None
    ) -> Outcome:
        chosen = send or self.system.dispatch.send
        orders = Orders(
            self._matches,
            None if dry_run else chosen,  # type: ignore[arg-type]  # a stand-in of the test
            limit,
            rate,
            self.told.append,
        )
        async with lying(self.system.backend.transport, "Tally") as letters:
            return await send_again(letters, orders, self.clock)


async def test_what_is_meant_is_sent_and_the_rest_stays_in_order(system: ActorSystem) -> None:
    await bury(system, "a", "b", "c", "d")
    outcome = await Redriving(system, "b", "d").run()
    assert (len(outcome.redriven), outcome.others, outcome.unseen) == (2, 2, 0)
    assert await listed(system) == ["a", "c"]
    assert await effects(system, "a", "b", "c", "d") == [0, 1, 0, 1]


async def test_a_crash_between_sending_and_acknowledging_has_no_second_effect(system: ActorSystem) -> None:
    """The broker has confirmed the message, and takes the letter back all the same."""
    await bury(system, "a", "b")
    transport = system.backend.transport
    assert isinstance(transport, MemoryTransport)

    async def send_and_die(item: Outgoing) -> None:
        await system.dispatch.send(item)
        transport.lose_connection()
        raise BrokerUnavailableError("the connection was lost")

    with pytest.raises(BrokerUnavailableError, match="run it again"):
        await Redriving(system).run(send=send_and_die)
    assert await listed(system) == ["a", "b"]
    assert len((await Redriving(system).run()).redriven) == 2
    assert await listed(system) == []
    assert await effects(system, "a", "b") == [1, 1]


async def test_one_that_cannot_be_sent_stays_and_is_reported(system: ActorSystem) -> None:
    await bury(system, "a")
    unreadable = dead.of_message(
        WireMessage({"ba-type": "Tally"}, b"?"), FAULT, actor_type="Tally", origin="", now_ms=1
    )
    await system.dispatch.send(unreadable)
    await bury(system, "b")
    outcome = await Redriving(system).run()
    (why,) = outcome.refused.values()
    assert "actor id" in why
    assert len(outcome.redriven) == 2
    assert len(await listed(system)) == 1


async def test_one_whose_mailbox_is_full_stays(system: ActorSystem) -> None:
    await bury(system, "a", "b")

    async def send(item: Outgoing) -> None:
        if item.message.headers["ba-id"] == "a":
            raise MailboxFullError("full: actors.Tally.g1.0")
        await system.dispatch.send(item)

    outcome = await Redriving(system).run(send=send)
    assert list(outcome.refused.values()) == ["full: actors.Tally.g1.0"]
    assert await listed(system) == ["a"]


async def test_a_dry_run_changes_nothing(system: ActorSystem) -> None:
    await bury(system, "a", "b")
    outcome = await Redriving(system).run(dry_run=True)
    assert len(outcome.redriven) == 2
    assert await listed(system) == ["a", "b"]
    assert await effects(system, "a", "b") == [0, 0]


async def test_the_limit_counts_from_the_oldest(system: ActorSystem) -> None:
    await bury(system, "a", "b", "c")
    outcome = await Redriving(system).run(limit=2)
    assert (len(outcome.redriven), outcome.unseen) == (2, 1)
    assert await listed(system) == ["c"]


async def test_sending_is_paced_and_tells_how_far_it_is(system: ActorSystem) -> None:
    await bury(system, *"abcdefg")
    redriving = Redriving(system)
    await redriving.run(rate=0.5)
    assert redriving.clock.slept == [0, 2, 2, 2, 2, 2, 2]
    assert redriving.told == ["4 redriven, 3 to look at", "7 redriven, 0 to look at"]


async def test_two_at_the_same_time_do_no_harm(system: ActorSystem) -> None:
    await bury(system, "a", "b", "c")
    other: list[Outcome] = []

    async def send(item: Outgoing) -> None:
        if not other:
            other.append(await Redriving(system).run())
        await system.dispatch.send(item)

    first = await Redriving(system).run(send=send)
    assert (len(first.redriven), len(other[0].redriven)) == (3, 0)
    assert await listed(system) == []
    assert await effects(system, "a", "b", "c") == [1, 1, 1]


async def test_what_dies_again_is_a_new_letter_and_not_sent_twice(system: ActorSystem) -> None:
    await bury(system, "a")

    async def send(item: Outgoing) -> None:
        again = dead.of_envelope(
            Envelope(Address("Tally", "a"), "add", key=str(item.message.headers["ba-key"])),
            *(Reason.FAILED, FAULT),
            origin="",
            now_ms=2,
        )
        await system.dispatch.send(again)

    outcome = await Redriving(system).run(send=send)
    assert len(outcome.redriven) == 1
    assert await listed(system) == ["a"]
