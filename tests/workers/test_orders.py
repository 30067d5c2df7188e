"""The actors of the order-processing story, on the embedded broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from broker_actors import ActorSystem, BusinessError, SystemFaultError, Worker
from broker_actors.cli.demo import actors
from broker_actors.cli.demo.actors import InventoryRef, NotifierRef, OrderRef, PaymentRef, Receipt
from workers.orders import Inventory, Notifier, Order, Payment


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with (
        ActorSystem.connect("memory://") as system,
        Worker(system, Inventory, Notifier, Order, Payment),
    ):
        yield system


async def test_an_order_goes_from_new_to_shipped(system: ActorSystem) -> None:
    await system.ref(InventoryRef, "tea").receive(10)
    order = system.ref(OrderRef, "o-1")
    assert await order.progress() == "new"
    assert await order.place("tea", 3) == 7
    assert await order.progress() == "placed"
    assert await order.pay(900) == Receipt(cents=900, attempt=actors.BANK_ANSWERS_AT)
    assert await order.progress() == "paid"
    await order.ship()
    assert await order.progress() == "shipped"
    assert await system.ref(NotifierRef, "o-1").sent() == [
        "we have your order of 3 tea",
        "3 tea are on their way",
    ]


async def test_an_order_that_is_out_of_stock_stays_new_and_tells_nobody(system: ActorSystem) -> None:
    await system.ref(InventoryRef, "tea").receive(2)
    order = system.ref(OrderRef, "o-1")
    with pytest.raises(BusinessError, match="3 wanted, 2 in stock") as caught:
        await order.place("tea", 3)
    assert (caught.value.code, caught.value.details) == ("out_of_stock", {"wanted": 3, "in_stock": 2})
    assert await order.progress() == "new"
    assert await system.ref(InventoryRef, "tea").count() == 2
    assert await system.ref(NotifierRef, "o-1").sent() == []


async def test_steps_out_of_order_are_refused(system: ActorSystem) -> None:
    order = system.ref(OrderRef, "o-1")
    for step, code in ((order.pay(900), "not_placed"), (order.ship(), "not_paid")):
        with pytest.raises(BusinessError) as caught:
            await step
        assert caught.value.code == code
    await system.ref(InventoryRef, "tea").receive(10)
    await order.place("tea", 1)
    with pytest.raises(BusinessError, match="the order is placed, not new"):
        await order.place("tea", 1)
    assert await system.ref(InventoryRef, "tea").count() == 9


async def test_failed_attempts_charge_nothing(system: ActorSystem) -> None:
    payment = system.ref(PaymentRef, "o-1")
    assert await payment.charge(900) == Receipt(900, actors.BANK_ANSWERS_AT)
    assert await payment.charged() == 900


async def test_a_bank_that_never_answers_is_a_fault_and_the_order_stays_unpaid(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors, "BANK_ANSWERS_AT", actors.QUICKLY.attempts + 1)
    await system.ref(InventoryRef, "tea").receive(10)
    order = system.ref(OrderRef, "o-1")
    await order.place("tea", 1)
    with pytest.raises(SystemFaultError, match=f"attempt {actors.QUICKLY.attempts}"):
        await order.pay(900)
    assert await order.progress() == "placed"
    assert await system.ref(PaymentRef, "o-1").charged() == 0
