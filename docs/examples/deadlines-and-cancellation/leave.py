"""A caller that leaves: by its deadline, and by giving up before it."""

import asyncio

from desk import STOPPED, Desk, DeskRef, Office, OfficeRef

from broker_actors import ActorSystem, AskTimeoutError, SystemFaultError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Desk, Office):
        desk, office = system.ref(DeskRef, "front"), system.ref(OfficeRef, "back")
        try:
            await desk.with_options(timeout=0.5).search("a pen")
        except (AskTimeoutError, SystemFaultError):
            print("no answer in time")

        asking = asyncio.ensure_future(desk.search("a form"))
        await asyncio.sleep(0.5)
        asking.cancel()
        await asyncio.wait([asking])

        print("searches that are left:", await office.count())
        print("stopped looking for:", STOPPED)


if __name__ == "__main__":
    asyncio.run(main())
