"""Read, stop reading, read on."""

import asyncio

from library import Library, LibraryRef

from broker_actors import ActorSystem, SystemFaultError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Library):
        library = system.ref(LibraryRef, "public")

        async for line in library.lines("Emma", 3):
            print(line)
        print("last:", await library.lines("Emma", 1_000))
        print("books:", [book async for book in library.shelf()])

        async for line in library.lines("Persuasion", 1_000_000):
            print("enough after", line)
            break
        print("read to the end:", await library.count())

        try:
            async for page in library.torn():
                print(page)
        except SystemFaultError as error:
            print("then:", error)

        stream = library.ticks(5)
        async for tick in stream:
            if stream.seq == 2:
                call_id = stream.call_id
                async for later in system.resume(call_id, after=tick):
                    print("resumed:", later)
                break


if __name__ == "__main__":
    asyncio.run(main())
