"""What actors tell each other: in order per target, once, and no target waits for another."""

from __future__ import annotations

import pytest

from broker_actors import MailboxFullError, Ref, Retry, actor, method, turn
from broker_actors.core.address import Address
from broker_actors.core.body import encode
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import UnroutableError
from broker_actors.core.events import TurnEnded
from broker_actors.core.outgoing import Destination, Outgoing, pack
from broker_actors.core.topology import Route
from broker_actors.core.turn import Committed
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.ports.commit import Commit
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.runtime import context, outbox, relay
from broker_actors.worker import worker
from tests.acceptance.conftest import Deployment
from tests.acceptance.ledger import Ledger, LedgerRef

pytestmark = pytest.mark.embedded_first

ME = Address("Front", "f1")


@actor(partitions=2)
class Front:
    """Tells ledgers what it is told."""

    calls: int = 0

    @method
    async def note(self, ledger: str, *numbers: int) -> int:
        for number in numbers:
            await turn.current().ref(LedgerRef, ledger).note.tell(number)
        self.calls += 1
        return self.calls

    @method
    async def note_if_there_is_room(self, ledger: str, number: int) -> bool:
        try:
            await turn.current().ref(LedgerRef, ledger).note.tell(number)
        except MailboxFullError:
            return False
        return True


class FrontRef(Front, Ref):
    """Typed handle."""


@actor(partitions=1, delivery="at_least_once", retry=Retry(attempts=3, min_backoff=0.01, max_backoff=0.01))
class Hasty:
    """Tells a ledger in its first run only."""

    @method
    async def note(self, ledger: str, number: int) -> int:
        here = turn.current()
        if here.attempt == 1:
            await here.ref(LedgerRef, ledger).note.tell(number)
        return here.attempt


class HastyRef(Hasty, Ref):
    """Typed handle."""


class Gate:
    """A broker that refuses what is for some actors."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.unsendable: set[str] = set()
        self.seen: list[WireMessage] = []

    def check(self, message: WireMessage) -> None:
        """Raise for what is refused; remember the rest."""
        if message.headers["ba-id"] in self.unsendable:
            self.unsendable.clear()
            raise UnroutableError("no such queue, for this test and once")
        if message.headers["ba-id"] in self.refused:
            raise MailboxFullError("full, for this test")
        self.seen.append(message)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, publish = Gate(), Dispatch.publish

    async def gated(self: Dispatch, route: Route, message: WireMessage) -> None:
        gate.check(message)
        await publish(self, route, message)

    monkeypatch.setattr(Dispatch, "publish", gated)
    return gate


@pytest.fixture
def busy_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay look often, and take everything at once."""
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(relay, "LEFTOVER_SECONDS", 0.0)
    monkeypatch.setattr(outbox, "LEFTOVER_SECONDS", 0.0)


async def noted(deployment: Deployment, count: int) -> None:
    """Return as soon as so many numbers are noted."""
    await deployment.watcher.wait_for(
        TurnEnded, lambda e: e.method == "note" and e.address.type == "Ledger", count
    )


async def test_what_an_actor_tells_is_known_by_its_numbers_and_leaves_no_record(
    deployment: Deployment, gate: Gate
) -> None:
    system = await deployment.system()
    async with deployment.worker(Front, Ledger):
        await system.ref(FrontRef, "f1").note("a", 1, 2)
        await system.ref(FrontRef, "f1").note("a", 3)
        await noted(deployment, 3)
        told = [message.headers for message in gate.seen if message.headers["ba-type"] == "Ledger"]
        assert await system.ref(LedgerRef, "a").read() == [1, 2, 3]
    senders = {headers["ba-sender"] for headers in told}
    assert [(headers["ba-seq"], headers["ba-low"]) for headers in told] == [(1, 1), (2, 1), (3, 3)]
    assert not any("ba-key" in headers for headers in told)
    [sender] = senders
    assert str(sender).startswith("Front/f1#")
    accepted = await system.backend.store.accepted(Address("Ledger", "a"), str(sender))
    assert accepted is not None
    assert (accepted.high, accepted.holes) == (3, ())


async def test_a_copy_of_what_an_actor_tells_has_no_effect(deployment: Deployment, gate: Gate) -> None:
    system = await deployment.system()
    async with deployment.worker(Front, Ledger):
        await system.ref(FrontRef, "f1").note("a", 1, 2)
        await noted(deployment, 2)
        for message in [one for one in gate.seen if one.headers["ba-type"] == "Ledger"]:
            await system.dispatch.send(Outgoing(Destination.MAILBOX, message))
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "duplicate", 2)
        assert await system.ref(LedgerRef, "a").read() == [1, 2]


async def test_a_target_that_refuses_holds_back_nobody_else_and_no_acknowledgement(
    deployment: Deployment, gate: Gate
) -> None:
    system = await deployment.system()
    front = system.ref(FrontRef, "f1")
    async with deployment.worker(Front, Ledger):
        gate.refused.add("full")
        assert await front.note("full", 1, 2) == 1
        assert await front.note("free", 1, 2) == 2
        await noted(deployment, 2)
        gate.refused.clear()
        # It takes messages again, but what it was told first has not left yet.
        assert await front.note("full", 3) == 3
        assert await front.note("free", 3) == 4
        await noted(deployment, 3)
        assert await system.ref(LedgerRef, "full").read() == []
        assert await system.ref(LedgerRef, "free").read() == [1, 2, 3]
    async with deployment.worker(Front, Ledger):
        assert await front.note("full", 4) == 5
        await noted(deployment, 7)
        assert await system.ref(LedgerRef, "full").read() == [1, 2, 3, 4]
    assert await system.backend.store.outbox(ME) == {}


async def test_a_run_sends_nothing_of_the_one_before_that_could_not_be_sent(
    deployment: Deployment, gate: Gate
) -> None:
    system = await deployment.system()
    async with deployment.worker(Hasty, Ledger):
        gate.unsendable.add("a")
        assert await system.ref(HastyRef, "h1").note("a", 1) == 2
        assert [one for one in gate.seen if one.headers["ba-type"] == "Ledger"] == []


@pytest.mark.usefixtures("busy_relay")
async def test_what_waits_is_sent_by_the_relay_and_what_follows_by_its_turn_again(
    deployment: Deployment, gate: Gate
) -> None:
    system = await deployment.system()
    front = system.ref(FrontRef, "f1")
    async with deployment.worker(Front, Ledger):
        gate.refused.add("a")
        for number in range(1, 4):
            await front.note("a", number)
        gate.refused.clear()
        await noted(deployment, 3)
        await front.note("a", 4)
        await noted(deployment, 4)
        assert await system.ref(LedgerRef, "a").read() == [1, 2, 3, 4]


@pytest.mark.usefixtures("busy_relay")
async def test_a_full_outbox_refuses_tells_until_there_is_room(
    deployment: Deployment, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "OUTBOX_ITEMS_MAX", 2)
    monkeypatch.setattr(context, "OUTBOX_ITEMS_MAX", 2)
    system = await deployment.system()
    front = system.ref(FrontRef, "f1")
    async with deployment.worker(Front, Ledger):
        gate.refused.add("a")
        assert await front.note_if_there_is_room("a", 1)
        assert await front.note_if_there_is_room("a", 2)
        assert not await front.note_if_there_is_room("a", 3)
        # Whom they are for does not matter: the outbox is one.
        assert not await front.note_if_there_is_room("b", 3)
    async with deployment.worker(Front, Ledger):
        assert not await front.note_if_there_is_room("b", 3)
        gate.refused.clear()
        await noted(deployment, 2)
        while not await front.note_if_there_is_room("b", 4):
            # Each turn hears how much the relay has left.
            continue
        await noted(deployment, 3)
    assert not await system.backend.store.outbox(ME)


async def test_leftovers_with_numbers_are_sent_in_order_and_copies_recognised(
    deployment: Deployment,
) -> None:
    """As left by a worker that died when the broker had the first and the store did not know it."""
    system = await deployment.system()
    store = system.backend.store
    async with deployment.worker(Front, Ledger):
        pass
    claim = await store.claim(ME, "the dead one")
    items = [Outgoing(Destination.MAILBOX, to_wire(told(number))) for number in (1, 2, 3)]
    numbers = OutboxNumbers("a1", [item.target for item in items])
    outcome = await store.commit(
        Commit(claim, "turn", outbox=[pack(item) for item in items], numbers=numbers)
    )
    assert isinstance(outcome, Committed)
    assert outcome.marks[0] is not None
    await system.dispatch.send(items[0].marked(outcome.marks[0]))
    async with deployment.worker(Front, Ledger):
        await system.ref(FrontRef, "f1").note("a", 4)
        await noted(deployment, 5)
        assert await system.ref(LedgerRef, "a").read() == [1, 2, 3, 4]


def told(number: int) -> Envelope:
    """Return what `Front.note` sends."""
    return Envelope(Address("Ledger", "a"), "note", encode([number], {}), sender=str(ME))
