"""Many documents: read here, counted by actors."""

import asyncio

from readers import Document, DocumentRef

from broker_actors import ActorSystem, Retry, Worker
from broker_actors.patterns import each

SHELF = {"a": "to be or not to be", "b": "", "c": "all the world's a stage"}
failing = {"c"}


async def read(name: str) -> str:
    await asyncio.sleep(0.01)
    if name in failing:
        failing.remove(name)
        raise OSError("the disk is busy")
    return SHELF[name]


async def main() -> None:
    # Three at a time, each up to four times.
    texts = await each(read, SHELF, concurrency=3, timeout=5, retry=Retry(attempts=4, max_backoff=0.1))
    print("read:", len(texts.values()))

    async with ActorSystem.connect() as system, Worker(system, Document):
        counts = await each(lambda found: system.ref(DocumentRef, found[0]).count(found[1]), texts.ok)
    for (name, _), words in counts.ok:
        print(f"{name}: {words} words")
    for (name, _), error in counts.errors:
        print(f"{name}: {error}")


if __name__ == "__main__":
    asyncio.run(main())
