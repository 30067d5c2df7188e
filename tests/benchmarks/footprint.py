"""What actors, records, mailboxes, messages and processes take: `python -m tests.benchmarks.footprint`.

Prints the table of docs/how-to/sizing.md; tests/docs/test_sizing.py holds the page against it.
Invariant: every figure is what a server or the system counts, the difference of before and
after divided by how many; nothing is computed from what we believe is stored.
"""

from __future__ import annotations

import asyncio
import sys
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

import redis
from pydantic import TypeAdapter

from broker_actors import ActorSystem, Ref, actor, method
from broker_actors.actor.spec import spec_of
from broker_actors.adapters.redis.keys import Keys
from broker_actors.core.address import Address
from tests.servers import RabbitServer, RedisServer
from tests.workers.shell import worker

#: Enough that what servers allocate ahead does not count.
COUNT: Final = 5_000
MESSAGES: Final = 10_000
PARTITIONS: Final = 128
_AT_A_TIME: Final = 200
_FIRST: Final = 1_000
#: The broker's statistics are renewed every five seconds.
_SETTLE_SECONDS: Final = 12.0
_TEXT: Final = "x" * 1024
#: Each is a client with connections of its own.
_SENDERS: Final = 20
_SYSTEM: Final = frozenset({"reserved_unallocated", "allocated_unused", "total", "strategy"})
_MEMORY: Final = TypeAdapter(dict[str, dict[str, object]])
_NODES: Final = TypeAdapter(list[dict[str, object]])


@actor
class Small:
    """A state of one number."""

    value: int = 0

    @method
    def add(self, n: int = 1) -> int:
        self.value += n
        return self.value


class SmallRef(Small, Ref):
    """Typed handle."""


@actor
class Large:
    """A state of one kibibyte."""

    text: str = ""

    @method
    def put(self, text: str) -> None:
        self.text = text


class LargeRef(Large, Ref):
    """Typed handle."""


@actor(partitions=PARTITIONS)
class Wide:
    """One with many mailboxes."""

    @method
    def take(self, text: str) -> None: ...


class WideRef(Wide, Ref):
    """Typed handle."""


async def of_store(system: ActorSystem, redis_url: str, count: int = COUNT) -> dict[str, float]:
    """Return what the store needs for one of each, in bytes; a worker runs `Small` and `Large`."""
    with redis.Redis.from_url(redis_url) as client:

        async def needed(call: Callable[[int], Awaitable[object]]) -> float:
            before = _used(client)
            await _each(call, count)
            return (_used(client) - before) / count

        small, large = system.ref(SmallRef, "warm"), system.ref(LargeRef, "warm")
        await large.put("")
        await small.add()
        return {
            "an actor whose state is a number": await needed(lambda n: system.ref(SmallRef, _id(n)).add()),
            "an actor whose state is 1 KiB of text": await needed(
                lambda n: system.ref(LargeRef, _id(n)).put(_TEXT)
            ),
            "the record of an idempotency key": await needed(
                lambda n: small.with_options(idempotency_key=_id(n)).add()
            ),
            "a sender that an actor remembers": await _of_sender(system, client),
        }


async def of_worker(system: ActorSystem, pid: int) -> dict[str, float]:
    """Return what the worker process *pid*, which runs `Small`, has resident for itself and for an actor."""
    started = resident_bytes(pid)
    # Whatever is loaded or grows with the first load is not an actor's.
    await _each(lambda n: system.ref(SmallRef, f"first-{n:07}").add(), _FIRST)
    before = resident_bytes(pid)
    await _each(lambda n: system.ref(SmallRef, f"alive-{n:07}").add(), COUNT)
    return {
        "a worker process": started,
        "a live actor in it, whose state is a number": (resident_bytes(pid) - before) / COUNT,
    }


async def of_broker(system: ActorSystem, server: RabbitServer) -> dict[str, float]:
    """Return what the broker needs for one of each, in bytes, and for declaring a mailbox, in seconds."""
    before = await _allocated(server)
    began_seconds = time.monotonic()
    await system.dispatch.layout("Wide", spec_of(Wide).layout)
    declaring_seconds = time.monotonic() - began_seconds
    declared = await _allocated(server)
    async with worker(*words(system, "Wide")):
        consumed = await _allocated(server)
    stopped = await _allocated(server)
    await _each(lambda n: system.ref(WideRef, _id(n)).take.tell(_TEXT), MESSAGES)
    filled = await _allocated(server)
    return {
        "an empty mailbox": (declared - before) / PARTITIONS,
        "a consumer of it": (consumed - declared) / PARTITIONS,
        "a message of 1 KiB that waits": (filled - stopped) / MESSAGES,
        "declaring a mailbox": declaring_seconds / PARTITIONS,
    }


async def _of_sender(system: ActorSystem, client: redis.Redis) -> float:
    def needed() -> int:
        usage = client.memory_usage(Keys("ba").senders(Address("Small", "warm")), samples=0)
        assert isinstance(usage, int)
        return usage

    before = needed()
    for _ in range(_SENDERS):
        async with ActorSystem(system.settings) as other:
            await other.ref(SmallRef, "warm").add()
    return (needed() - before) / _SENDERS


def resident_bytes(pid: int) -> int:
    """Return how much memory the process *pid* has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


async def _measure(rabbit: RabbitServer, store: RedisServer) -> dict[str, float]:
    async with ActorSystem.connect(rabbit.url, store.url) as system:
        async with worker(*words(system, "Small", "Large")) as process:
            figures = await of_worker(system, process.pid) | await of_store(system, store.url)
        return figures | await of_broker(system, rabbit)


def words(system: ActorSystem, *actors: str) -> list[str]:
    settings = system.settings
    targets = [f"{__spec__.name}:{name}" for name in actors]
    return [*targets, "--amqp", settings.url, "--redis", settings.redis_url]


async def _each(call: Callable[[int], Awaitable[object]], count: int) -> None:
    places = asyncio.Semaphore(_AT_A_TIME)

    async def one(n: int) -> None:
        async with places:
            await call(n)

    await asyncio.gather(*(one(n) for n in range(count)))


def _id(n: int) -> str:
    return f"account-{n:06}"


def _used(client: redis.Redis) -> int:
    memory = client.info("memory")
    assert isinstance(memory, dict)
    return int(memory["used_memory"])


async def _allocated(server: RabbitServer) -> int:
    """Return what the node says to use, once it has counted."""
    await asyncio.sleep(_SETTLE_SECONDS)
    (node, *_) = _NODES.validate_json(answer(server, "/api/nodes"))
    memory = _MEMORY.validate_json(answer(server, f"/api/nodes/{node['name']}/memory"))["memory"]
    return sum(part for name, part in memory.items() if name not in _SYSTEM and isinstance(part, int))


def answer(server: RabbitServer, path: str) -> bytes:
    """Return what the management API of *server* says at *path*."""
    user = f"Basic {b64encode(b'guest:guest').decode()}"
    request = Request(f"http://127.0.0.1:{server.management_port}{path}", headers={"authorization": user})
    with urlopen(request, timeout=_SETTLE_SECONDS) as found:  # noqa: S310 - ours
        content: bytes = found.read()
    return content


def main() -> None:
    """Measure on private servers and print rows for the page."""
    with RabbitServer() as rabbit, RedisServer() as store:
        figures = asyncio.run(_measure(rabbit, store))
    for name, value in figures.items():
        shown = f"{value * 1000:.0f} ms" if value < 1 else f"{value:,.0f} bytes"
        sys.stdout.write(f"| {name} | {shown} |\n")


if __name__ == "__main__":
    main()
