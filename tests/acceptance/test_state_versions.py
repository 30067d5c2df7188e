"""Classes change while their actors lie in the store: they load, or say why not, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broker_actors import ActorSystem, Retry, actor, method
from broker_actors.core import body
from broker_actors.core.address import Address
from broker_actors.core.codec import decode
from broker_actors.core.envelope import MSGPACK
from broker_actors.core.errors import StateUndecodableError
from broker_actors.core.events import TurnEnded
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from tests.acceptance.conftest import Deployment

pytestmark = pytest.mark.embedded_first

NO_RETRY = Retry(attempts=1)
ADDRESS = Address("Invoice", "i1")


@actor(name="Invoice", retry=NO_RETRY)
class Invoice:
    euros: float = 0.0
    note: str = ""

    @method
    def bill(self, euros: float) -> None:
        self.euros = euros

    @method
    def read(self) -> str:
        return f"{self.euros}"


@actor(name="Invoice", retry=NO_RETRY)
class Gained(Invoice):
    currency: str = "EUR"

    @method
    def read(self) -> str:
        return f"{self.euros} {self.currency}"


@actor(name="Invoice", retry=NO_RETRY)
class Lost:
    euros: float = 0.0

    @method
    def read(self) -> str:
        return f"{self.euros}"


@actor(name="Invoice", retry=NO_RETRY)
class Retyped:
    euros: dict[str, int]
    note: str = ""

    def __init__(self) -> None:
        self.euros = {}

    @method
    def read(self) -> str:
        return f"{self.euros}"


@actor(name="Invoice", retry=NO_RETRY, state_version=2)
class Migrated:
    amount: Decimal = Decimal(0)

    @classmethod
    def migrate(cls, state: dict[str, object], version: int) -> dict[str, object]:
        assert version == 1
        return {"amount": str(state["euros"])}

    @method
    def read(self) -> str:
        return f"{self.amount}"

    @method
    def bill(self, euros: float) -> None:
        self.amount += Decimal(str(euros))


async def stored(system: ActorSystem) -> object:
    """Return the state of the invoice as it lies in the store."""
    snapshot = await system.backend.store.peek(ADDRESS)
    assert snapshot is not None
    assert snapshot.state is not None
    return decode(snapshot.state)


async def test_a_class_that_gained_an_attribute_loads_old_states(deployment: Deployment) -> None:
    system = await deployment.system()
    invoice = system.ref("Invoice", "i1")
    async with deployment.worker(Invoice):
        await invoice.call("bill", 1.5)
    async with deployment.worker(Gained):
        assert await invoice.call("read") == "1.5 EUR"


async def test_a_class_that_migrates_loads_old_states_and_stores_them_in_its_version(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    invoice = system.ref("Invoice", "i1")
    async with deployment.worker(Invoice):
        await invoice.call("bill", 1.5)
    async with deployment.worker(Migrated):
        assert await invoice.call("read") == "1.5"
        await invoice.call("bill", 1)
        assert await stored(system) == {"v": 2, "n": 2, "s": {"amount": "2.5"}}


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Lost, r"Invoice/i1: .*attribute 'note' \(str\) that the class does not declare: declare it again"),
        (
            Retyped,
            r"Invoice/i1: .*a value \(float\) that does not fit Retyped\.euros: .*convert it in migrate",
        ),
    ],
    ids=["lost", "retyped"],
)
async def test_a_state_that_does_not_fit_is_untouched_and_the_caller_is_told_why(
    deployment: Deployment, cls: type, said: str
) -> None:
    system = await deployment.system()
    invoice = system.ref("Invoice", "i1")
    async with deployment.worker(Invoice):
        await invoice.call("bill", 1.5)
    before = await stored(system)
    async with deployment.worker(cls):
        with pytest.raises(StateUndecodableError, match=said):
            await invoice.call("read")
    assert await stored(system) == before
    async with deployment.worker(Invoice):
        assert await invoice.call("read") == "1.5"


async def test_a_newer_state_is_left_alone_and_its_messages_wait_for_the_newer_release(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    invoice = system.ref("Invoice", "i1")
    async with deployment.worker(Migrated):
        await invoice.call("bill", 1)
    before = await stored(system)
    async with deployment.worker(Invoice):
        await invoice.bill.tell(2)
        (turn,) = await deployment.watcher.wait_for(TurnEnded, lambda one: one.outcome == "retried")
        assert "NewerStateError: Invoice/i1: the state was written by version 2 of Invoice" in turn.error
        assert await stored(system) == before
    async with deployment.worker(Migrated):
        await deployment.watcher.wait_for(TurnEnded, lambda one: one.outcome == "ok", 2)
        assert await invoice.call("read") == "3.0"


async def test_a_turn_that_changes_nothing_writes_nothing(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Invoice):
        await system.ref("Invoice", "i1").call("bill", 1.5)
        before = await system.backend.store.peek(ADDRESS)
        # Unnumbered, as nothing but its state could be written then.
        layout = await system.dispatch.layout("Invoice")
        read = WireMessage({"ba-type": "Invoice", "ba-id": "i1"}, body.encode((), {}), MSGPACK, "read")
        await system.backend.transport.publish(Route("actors", layout.key_of("i1")), read)
        await deployment.watcher.wait_for(TurnEnded, lambda one: one.method == "read")
        after = await system.backend.store.peek(ADDRESS)
    assert before == after
