"""What the library says to common mistakes with state."""

import asyncio

from bank import Account, AccountRef

from broker_actors import ActorSystem, PlatformError, Ref, Worker, actor, method


@actor
class Visit:
    """Forgets to declare its state."""

    @method
    def arrive(self, name: str) -> None:
        self.guest = name  # a public name without an annotation


class VisitRef(Visit, Ref):
    """A typed handle on a visit."""


def declare_basket() -> None:
    @actor
    class Basket:
        items: list[str] = []  # noqa: RUF012 - one list for all baskets


async def main() -> None:
    try:
        declare_basket()
    except PlatformError as error:
        print("1.", error)
    async with ActorSystem.connect() as system, Worker(system, Account, Visit):
        try:
            await system.ref(VisitRef, "v1").arrive("Ada")
        except PlatformError as error:
            print("2.", error)
        try:
            print(system.ref(AccountRef, "mine").cents)
        except AttributeError as error:
            print("3.", error)


if __name__ == "__main__":
    asyncio.run(main())
