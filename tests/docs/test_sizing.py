"""The figures of docs/how-to/sizing.md, measured again."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

import pytest
import redis

from broker_actors import ActorSystem
from broker_actors.core.sharing import rankings
from broker_actors.core.topology import Layout
from tests.benchmarks import footprint
from tests.docs.tables import rows
from tests.servers import RabbitServer, command
from tests.servers.polling import until
from tests.workers.shell import worker

PAGE: Final = "sizing.md"
#: Memory is not the same in every run and every version; what is off by more is another design.
_OFF_MAX: Final = 1.6
_STATISTICS_SECONDS: Final = 30
_COUNT: Final = 1_000
_OF_STORE: Final = {row[0]: row[2] for row in rows(PAGE, "What things take") if row[1] == "Redis"}
_OF_BROKER: Final = {row[0]: row[2] for row in rows(PAGE, "What things take") if row[1] == "RabbitMQ"}
_OF_WORKER: Final = {row[0]: row[2] for row in rows(PAGE, "What things take") if row[1] == "its machine"}


@pytest.mark.verify
async def test_the_store_needs_what_the_page_says(amqp_url: str, redis_url: str) -> None:
    async with (
        ActorSystem.connect(amqp_url, redis_url) as system,
        worker(*footprint.words(system, "Small", "Large")),
    ):
        _compare(_OF_STORE, await footprint.of_store(system, redis_url, _COUNT))


@pytest.mark.verify
async def test_a_worker_needs_what_the_page_says(amqp_url: str, redis_url: str) -> None:
    async with (
        ActorSystem.connect(amqp_url, redis_url) as system,
        worker(*footprint.words(system, "Small", "Large")) as process,
    ):
        _compare(_OF_WORKER, await footprint.of_worker(system, process.pid))


@pytest.mark.verify
@pytest.mark.timeout(300)
async def test_the_broker_needs_what_the_page_says(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the release that the page names.
    monkeypatch.delenv(command.RABBITMQ, raising=False)
    with RabbitServer() as server:
        async with ActorSystem.connect(server.url, redis_url) as system:
            figures = await footprint.of_broker(system, server)
    # How long a declaration takes is a matter of the disk, and of who else uses it.
    del figures["declaring a mailbox"]
    _compare({name: _OF_BROKER[name] for name in figures}, figures)


@pytest.mark.parametrize(("column", "processes"), [(1, 3), (2, 5), (3, 7), (4, 12)])
def test_the_busiest_process_has_as_much_as_the_page_says(column: int, processes: int) -> None:
    for row in rows(PAGE, "Mailboxes of a type"):
        assert _busiest(processes, int(row[0])) == pytest.approx(float(row[column]), abs=0.0051)


@pytest.mark.parametrize("times", [4, 8])
def test_with_many_mailboxes_the_busiest_process_is_as_near_the_average_as_the_page_says(times: int) -> None:
    for processes in range(2, 17):
        for mailboxes in range(times * processes, (times + 1) * processes):
            assert _busiest(processes, mailboxes) <= 1 + 1 / times


@pytest.mark.verify
async def test_a_worker_and_a_client_open_as_many_connections_as_the_page_says(
    rabbit_server: RabbitServer, amqp_url: str, redis_url: str
) -> None:
    (of_worker, of_client) = (
        [int(re.findall(r"\d+", cell)[0]) for cell in row[1:]] for row in rows(PAGE, "Connections")
    )
    with redis.Redis.from_url(redis_url) as operator:
        async with ActorSystem.connect(amqp_url, redis_url) as system:
            assert _clients(operator) == of_client[2]
            await asyncio.to_thread(_until_connections, rabbit_server, amqp_url, of_client[0])
            async with worker(*footprint.words(system, "Small")):
                assert _clients(operator) == of_client[2] + of_worker[2]
                both = of_client[0] + of_worker[0]
                await asyncio.to_thread(_until_connections, rabbit_server, amqp_url, both)
                await system.ref(footprint.SmallRef, "s").add()
                assert _clients(operator) == of_client[2] + 1 + of_worker[2]


def _compare(shown: Mapping[str, str], measured: Mapping[str, float]) -> None:
    assert shown.keys() == measured.keys()
    for name, value in measured.items():
        on_page = float(re.sub(r"[^\d.]", "", shown[name]))
        on_page *= {"KB": 1e3, "MB": 1e6}.get(shown[name][-2:], 1)
        text = (
            f"{name}: {value:.0f} bytes, and {shown[name]} on the page: python -m tests.benchmarks.footprint"
        )
        assert on_page / _OFF_MAX < value < on_page * _OFF_MAX, text


def _busiest(processes: int, mailboxes: int) -> float:
    names = [f"web-{n}:4711:{n:08x}" for n in range(processes)]
    ranked = rankings(Layout("Order", partitions=mailboxes).mailboxes(), names)
    owners = Counter(one[0] for one in ranked.values())
    return max(owners.values()) * processes / mailboxes


def _clients(operator: redis.Redis) -> int:
    listed = operator.client_list()
    assert isinstance(listed, list)
    return sum(str(one["name"]).startswith("broker-actors") for one in listed)


def _until_connections(server: RabbitServer, amqp_url: str, count: int) -> None:
    path = f"/api/vhosts/{amqp_url.rpartition('/')[2]}/connections"
    until(
        lambda: footprint.answer(server, path).count(b'"node"') == count,
        f"{count} connections",
        _STATISTICS_SECONDS,
    )
