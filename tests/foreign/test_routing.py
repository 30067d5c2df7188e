"""Every id goes to the mailbox that this package would choose, and can be read there."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, TypedDict, cast
from urllib.parse import quote, urlsplit

import aiormq
import msgpack  # type: ignore[import-untyped] # it has no stubs
import pytest
import redis
from aiormq.abc import DeliveredMessage

from broker_actors import ActorSystem
from broker_actors.core.topology import Layout
from tests.docs.pages import ROOT
from tests.foreign.service import HANG_SECONDS, JSON, MSGPACK, TELLS, Service
from tests.integration.rabbitmq.support import open_channel
from tests.servers import RabbitServer

pytestmark = pytest.mark.verify

#: More would only wait for each other.
PROGRAMS_AT_A_TIME: Final = 2
BODY: Final = {"args": ["żółw 🐢"]}


class Vector(TypedDict):
    """One of tests/vectors/partitions.json."""

    id: str
    partition_of: dict[str, int]


class Shown(TypedDict):
    """A message as the broker's management shows it, as far as this test looks."""

    payload: str
    payload_encoding: str
    properties: dict[str, object]


VECTORS: Final[list[Vector]] = json.loads((ROOT / "tests/vectors/partitions.json").read_text())["vectors"]


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[aiormq.Channel]:
    """A look at the mailboxes from outside."""
    async with open_channel(amqp_url) as channel:
        yield channel


async def addressees(channel: aiormq.Channel, queues: Sequence[str], count: int) -> list[set[str]]:
    """Take *count* messages out of *queues*, and return whom those in each were for."""
    found: dict[str, set[str]] = {queue: set() for queue in queues}
    enough = asyncio.Event()

    async def keep(message: DeliveredMessage) -> None:
        assert message.consumer_tag is not None
        found[message.consumer_tag].add(str((message.header.properties.headers or {})["ba-id"]))
        if sum(map(len, found.values())) == count:
            enough.set()

    for queue in queues:
        # A mailbox has a single active consumer, and such a queue answers no basic.get.
        await channel.basic_consume(queue, keep, no_ack=True, consumer_tag=queue)
    async with asyncio.timeout(HANG_SECONDS):
        await enough.wait()
    return list(found.values())


def expected(partitions: int, numbers: Iterable[int]) -> list[set[str]]:
    """Return the ids of each of the partitions *numbers*."""
    return [
        {vector["id"] for vector in VECTORS if vector["partition_of"][str(partitions)] == number}
        for number in numbers
    ]


async def tell_everyone(service: Service, program: str, actor_type: str) -> None:
    """Tell every id of the vectors something."""
    slots = asyncio.Semaphore(PROGRAMS_AT_A_TIME)

    async def tell(actor_id: str) -> None:
        async with slots:
            await service.tell(program, actor_type, actor_id, "show", "[1]", "k", JSON)

    async with asyncio.TaskGroup() as group:
        for vector in VECTORS:
            group.create_task(tell(vector["id"]))


@pytest.mark.parametrize("program", TELLS)
async def test_every_id_goes_to_its_partition(
    service: Service, system: ActorSystem, channel: aiormq.Channel, program: str
) -> None:
    layout = await system.dispatch.layout("Eight", Layout("Eight", 1, 8))
    await tell_everyone(service, program, "Eight")
    assert await addressees(channel, layout.mailboxes(), len(VECTORS)) == expected(8, range(8))


@pytest.mark.parametrize("program", TELLS)
async def test_partitions_and_generation_are_those_that_are_recorded(
    service: Service, system: ActorSystem, channel: aiormq.Channel, redis_url: str, program: str
) -> None:
    await system.dispatch.layout("Eight", Layout("Eight", 1, 8))  # makes the exchange
    with redis.Redis.from_url(redis_url) as store:
        store.hset("ba:layout:Hundred", mapping={"generation": "3", "partitions": "100"})
    numbers = sorted({vector["partition_of"]["100"] for vector in VECTORS})
    queues = [f"hundred {number}" for number in numbers]
    for number, queue in zip(numbers, queues, strict=True):
        await channel.queue_declare(queue, exclusive=True)
        await channel.queue_bind(queue, "actors", f"Hundred.g3.{number}")
    await tell_everyone(service, program, "Hundred")
    assert await addressees(channel, queues, len(VECTORS)) == expected(100, numbers)


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
@pytest.mark.parametrize("program", TELLS)
async def test_a_message_can_be_read_in_the_brokers_management(
    rabbit_server: RabbitServer, redis_url: str, service: Service, program: str, content_type: str
) -> None:
    amqp_url = rabbit_server.vhosts.create()
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        await system.dispatch.layout("Mirror", Layout("Mirror", 1, 1))
    async with open_channel(amqp_url) as channel:
        # Beside the mailbox: the management shows nothing out of a queue with a single active consumer.
        await channel.queue_declare("look", durable=True)
        await channel.queue_bind("look", "actors", "Mirror.g1.0")
    arguments = ("Mirror", "żółw 🐢", "show", json.dumps(BODY["args"]), "order-1", content_type)
    ended = await service.run(program, *arguments, AMQP_URL=amqp_url)
    assert (ended.code, ended.err) == (0, "")
    shown = await asyncio.to_thread(_first, rabbit_server, amqp_url, "look")
    properties = shown["properties"]
    assert (properties["type"], properties["content_type"]) == ("show", content_type)
    assert properties["delivery_mode"] == 2
    assert properties["headers"] == {"ba-type": "Mirror", "ba-id": "żółw 🐢", "ba-key": "order-1"}
    if content_type == JSON:
        assert shown["payload_encoding"] == "string"
        assert "żółw 🐢" in shown["payload"]
        assert json.loads(shown["payload"]) == BODY
    else:
        assert shown["payload_encoding"] == "base64"
        assert msgpack.unpackb(base64.b64decode(shown["payload"])) == BODY


def _first(server: RabbitServer, amqp_url: str, queue: str) -> Shown:
    path = f"/api/queues/{quote(urlsplit(amqp_url).path[1:], safe='')}/{queue}/get"
    wish = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    (shown,) = json.loads(server.vhosts._request("POST", path, json.dumps(wish)))
    return cast("Shown", shown)
