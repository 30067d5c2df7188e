"""The actors these tests play with."""

from __future__ import annotations

import asyncio

from broker_actors import BusinessError, Ref, Retry, actor, method, turn


@actor(partitions=2)
class Stock:
    """The stock of one article."""

    left: int = 0

    @method
    def receive(self, quantity: int) -> int:
        self.left += quantity
        return self.left

    @method
    def reserve(self, quantity: int) -> int:
        if quantity > self.left:
            text = f"{quantity} wanted, {self.left} left"
            raise BusinessError("out_of_stock", text)
        self.left -= quantity
        return self.left

    @method
    def break_down(self) -> None:
        text = "boom"
        raise ValueError(text)

    @method.options(retry=Retry(attempts=2, min_backoff=3.0, max_backoff=3.0))
    def break_down_slowly(self) -> None:
        text = "boom"
        raise ValueError(text)

    @method
    async def hang(self) -> None:
        await asyncio.Event().wait()


class StockRef(Stock, Ref):
    """A typed handle."""


@actor(partitions=2)
class Order:
    """Sends through several hops."""

    hops: int = 0

    @method
    async def pass_on(self, hops: int) -> None:
        self.hops += 1
        if hops > 1:
            await turn.current().ref(OrderRef, f"o{hops - 1}").pass_on.tell(hops - 1)
        else:
            await turn.current().ref(StockRef, "tea").receive.tell(1)

    @method
    async def remind_in(self, seconds: float) -> None:
        await turn.current().ref(StockRef, "tea").receive.tell_after(seconds, 1)

    @method
    def count(self) -> int:
        return self.hops


class OrderRef(Order, Ref):
    """A typed handle."""


@actor(mailbox="dedicated")
class Lamp:
    """A named singleton."""

    on: bool = False

    @method
    def switch(self) -> bool:
        self.on = not self.on
        return self.on


class LampRef(Lamp, Ref):
    """A typed handle."""
