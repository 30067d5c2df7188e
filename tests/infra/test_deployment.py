"""A worker, an ask and a tell on servers that run on the files of a deployment.

With the command, the user and the passwords of the compose file, by the permissions and policies of
the definitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import aiormq
import pytest
import redis

from broker_actors import ActorSystem
from broker_actors.cli.demo.actors import InventoryRef, OrderRef
from broker_actors.core import topology
from tests.conformance.transport.brokers import message, read
from tests.infra import files
from tests.infra.api import get_list
from tests.infra.servers import DeployedRabbit, DeployedRedis
from tests.integration.rabbitmq.support import open_channel, open_transport
from tests.servers import command
from tests.servers.polling import until
from tests.servers.ports import free_port
from tests.workers.shell import HANG_SECONDS, line_of, worker

pytestmark = pytest.mark.verify


@pytest.fixture
def rabbit(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeployedRabbit]:
    # The file is for this machine's RabbitMQ; a command brings a configuration of its own.
    monkeypatch.delenv(command.RABBITMQ, raising=False)
    with DeployedRabbit() as server:
        yield server


@pytest.fixture
def store() -> Iterator[DeployedRedis]:
    with DeployedRedis() as server:
        yield server


@pytest.fixture
def urls(rabbit: DeployedRabbit, store: DeployedRedis) -> tuple[str, str]:
    """Where the worker of the compose file finds its servers, if they were where these are."""
    given = files.services()["worker"]
    return (
        _moved(given.variable("BROKER_ACTORS_URL"), rabbit.port),
        _moved(given.variable("BROKER_ACTORS_REDIS_URL"), store.port),
    )


async def test_a_worker_serves_asks_and_tells(urls: tuple[str, str]) -> None:
    port = free_port()
    words = [word.replace("0.0.0.0:8080", f"127.0.0.1:{port}") for word in files.services()["worker"].command]
    assert words.pop(0) == "worker"
    async with (
        worker(*words, "--amqp", urls[0], "--redis", urls[1]) as process,
        ActorSystem.connect(*urls) as system,
    ):
        assert (await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/ready")).status == 200

        tea = system.ref(InventoryRef, "tea")
        await tea.receive.tell(10)
        assert await tea.receive(5) == 15
        order = system.ref(OrderRef, "o-1")
        assert await order.place("tea", 3) == 12
        await tea.reserve.tell_after(1, 2)
        async with asyncio.timeout(HANG_SECONDS):
            while await tea.count() != 10:  # noqa: ASYNC110 - the actor is asked, and tells nobody of itself
                await asyncio.sleep(0)

        process.terminate()
        await line_of(process, "stopped")
        assert await process.wait() == 0


async def test_policies_bound_the_mailboxes(rabbit: DeployedRabbit, urls: tuple[str, str]) -> None:
    async with ActorSystem.connect(*urls) as system:
        await system.ref(InventoryRef, "tea").receive.tell(10)
    bounded = {"actors.DemoInventory.g1.0", "actors.DemoInventory.g1.1"}
    # The broker's statistics learn of queues and their policies some seconds late.
    await asyncio.to_thread(until, lambda: _with_policy(rabbit) == bounded, "applying the policy", 20)


async def test_the_worker_may_use_what_is_the_platforms_only(rabbit: DeployedRabbit) -> None:
    for user, is_refused in (("worker", True), ("admin", False)):
        url = rabbit.url.replace("admin", user)
        async with await aiormq.connect(url) as connection:
            channel = await connection.channel()
            refusal = pytest.raises(aiormq.exceptions.ChannelAccessRefused) if is_refused else nullcontext()
            with refusal:
                await channel.queue_declare("look.mine")


async def test_what_finds_no_way_out_of_its_delay_goes_on_seconds_after_there_is_one(
    rabbit: DeployedRabbit,
) -> None:
    """As after a restart, when its time was up before the node knew its bindings."""
    one_second = topology.delay_route(1)
    async with open_transport(rabbit.url) as transport, open_channel(rabbit.url) as channel:
        await transport.declare(list(topology.common()))
        await channel.queue_unbind(topology.DUE, topology.DUE, "#")
        await transport.publish(one_second, message(b"late"))
        await asyncio.to_thread(until, lambda: "Cannot forward" in rabbit.log_tail(), "trying", HANG_SECONDS)
        await channel.queue_bind(topology.DUE, topology.DUE, "#")
        assert await read(transport, topology.DUE, 1) == [b"late"]


def test_the_store_confirms_what_is_on_disk_and_evicts_nothing(store: DeployedRedis) -> None:
    with redis.Redis.from_url(store.url, decode_responses=True) as client:
        settings = client.config_get("append*", "maxmemory*", "save")
    assert isinstance(settings, dict)
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
    assert (settings["maxmemory-policy"], settings["save"]) == ("noeviction", "")


def _moved(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"))


def _with_policy(rabbit: DeployedRabbit) -> set[str]:
    queues = get_list(rabbit.management_port, "admin:change-me", "/api/queues")
    return {str(queue["name"]) for queue in queues if queue.get("policy") == "mailboxes"}
