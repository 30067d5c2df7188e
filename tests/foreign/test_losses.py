"""A message that did not get into its mailbox is an error to the program that sent it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import redis
from pamqp.common import FieldTable

from broker_actors import ActorSystem
from broker_actors.core.topology import Layout
from tests.foreign.service import ASKS, JSON, JSON_ONLY, TELLS, Service
from tests.integration.rabbitmq.support import open_channel

pytestmark = pytest.mark.verify

PROGRAMS = [*TELLS, *ASKS]


async def fails(service: Service, program: str, **environment: str) -> str:
    """Run *program*, which must fail before it waits for a reply; return what it says."""
    arguments = ("Mirror", "m", "show", "[1]", "k", *([JSON] if program != JSON_ONLY else []))
    ended = await service.run(program, *arguments, **environment)
    assert ended.code != 0
    assert "no reply" not in ended.err.splitlines()[-1]
    return ended.err


@pytest.fixture
async def layout(system: ActorSystem) -> None:
    """The topology of an actor type, and nobody who consumes."""
    await system.dispatch.layout("Mirror", Layout("Mirror", 1, 1))


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_message_without_a_mailbox_is_an_error(
    service: Service, redis_url: str, program: str
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.hset("ba:layout:Mirror", "generation", "9")
    said = await fails(service, program)
    assert any(name in said for name in ("UnroutableError", "PublishError", "no mailbox"))


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_full_mailbox_is_an_error(
    service: Service, amqp_url: str, redis_url: str, program: str
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.hset("ba:layout:Mirror", "generation", "9")
    async with open_channel(amqp_url, confirms=True) as channel:
        arguments: FieldTable = {"x-max-length": 0, "x-overflow": "reject-publish"}
        await channel.queue_declare("full", exclusive=True, arguments=arguments)
        await channel.queue_bind("full", "actors", "Mirror.g9.0")
        said = await fails(service, program)
    assert any(name in said for name in ("NackError", "DeliveryError", "message nacked"))


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_connection_that_is_lost_before_the_confirm_is_an_error(
    service: Service, amqp_url: str, program: str
) -> None:
    async with cut_at_publish(amqp_url) as (url, cut):
        await fails(service, program, AMQP_URL=url)
        assert cut.is_set()


@asynccontextmanager
async def cut_at_publish(amqp_url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Yield the URL of a way to the broker that breaks at the first message, and whether it has."""
    parts = urlsplit(amqp_url)
    cut = asyncio.Event()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = bytearray()
        while data := await reader.read(65_536):
            seen += data
            if b"ba-id" in seen:
                cut.set()
                break
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_broker = await asyncio.open_connection(parts.hostname, parts.port or 5672)
        both = [copy(reader, to_broker[1]), copy(to_broker[0], writer)]
        await asyncio.gather(*both, return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        user = parts.netloc.rpartition("@")[0]
        yield parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl(), cut
