"""What happens before a person looks: messages are sent, some fail, the workers go, more are sent."""

from __future__ import annotations

import aiormq

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.core.events import TurnEnded
from tests.acceptance.watching import Watcher
from tests.ui.shop import Order, OrderRef, Parcel, ParcelRef, Payment, PaymentRef, PrinterRef

#: For the message that is to arrive later: an hour.
LATER_SECONDS = 3600


async def tell(settings: Settings) -> None:
    """Fill the queues of a broker, and leave no worker."""
    watcher = Watcher()
    async with ActorSystem(settings, observer=watcher) as system:
        payment = system.ref(PaymentRef, "order-17")
        async with Worker(system, Payment, Order, Parcel):
            await payment.charge.tell(4900, card="visa")
            await payment.refund.tell(900)
            await system.ref(ParcelRef, "order-17").label.tell("12 Main Street")
            await _publish_broken(settings.url)
            await watcher.wait_for(TurnEnded, lambda event: event.outcome == "dead_lettered", count=3)
            await watcher.wait_for(TurnEnded, lambda event: event.outcome == "retried")
        await _send_more(system)


async def _send_more(system: ActorSystem) -> None:
    printer = await system.spawn(PrinterRef, "warehouse")
    await printer.print.tell(3)
    await system.ref(PaymentRef, "order-18").charge.tell(1200, card="visa")
    await system.ref(OrderRef, "order-17").add.tell_after(LATER_SECONDS, "coffee", 1)
    for number in range(17, 22):
        await system.ref(OrderRef, f"order-{number}").add.tell("tea", number)


async def _publish_broken(url: str) -> None:
    """Send what a service without this package, and with a mistake in it, might send."""
    async with await aiormq.connect(url) as connection:
        channel = await connection.channel()
        properties = aiormq.spec.Basic.Properties(
            content_type="application/json",
            message_type="charge",
            headers={"ba-type": "Payment", "ba-id": "order-19"},
        )
        await channel.basic_publish(
            b'{"args": [4900', exchange="actors.in", routing_key="Payment.g1.0", properties=properties
        )
