"""A press that is told more than it prints."""

import asyncio

from broker_actors import ActorSystem, MailboxFullError, Ref, Worker, actor, method


@actor(partitions=1)
class Press:
    printed: int = 0

    @method
    def page(self, number: int) -> None:
        self.printed = number

    @method
    def last(self) -> int:
        return self.printed


class PressRef(Press, Ref):
    """A typed handle."""


async def main() -> None:
    async with ActorSystem.connect("memory://?mailbox_max=100") as system:
        press = system.ref(PressRef, "p1")
        number = 0
        try:
            while True:  # nobody prints: no worker runs yet
                await press.page.tell(number + 1)
                number += 1
        except MailboxFullError as error:
            print(number, "pages wait;", str(error).partition(":")[0])

        patient = press.with_options(wait_if_full=30)
        waiting = [asyncio.ensure_future(patient.page.tell(number + n)) for n in range(1, 51)]
        async with Worker(system, Press):
            await asyncio.gather(*waiting)
            print("printed up to", await patient.last())


if __name__ == "__main__":
    asyncio.run(main())
