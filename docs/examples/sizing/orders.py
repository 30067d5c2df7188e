"""A type that was first run with eight mailboxes, and is now declared with sixteen."""

import asyncio

from broker_actors import ActorSystem, PlatformError, Ref, Worker, actor, method


@actor(partitions=8)
class Order:
    lines: int = 0

    @method
    def add(self) -> int:
        self.lines += 1
        return self.lines


@actor(name="Order", partitions=16)
class WiderOrder(Order):
    """The same type, later."""


class OrderRef(Order, Ref):
    """A typed handle."""


async def main() -> None:
    async with ActorSystem.connect() as system:
        async with Worker(system, Order):
            print(await system.ref(OrderRef, "o-1").add())
        try:
            async with Worker(system, WiderOrder):
                pass
        except PlatformError as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
