"""Servers for tests, and rules that hold for all of them.

A test on real servers takes `amqp_url` and `redis_url`: an empty broker and an empty store of its
own. One that kills, restarts or freezes a server takes `rabbit_server` or `redis_server` and is
free to. Servers start when a first test asks for them. `BROKER_ACTORS_TEST_AMQP` (with
`BROKER_ACTORS_TEST_MANAGEMENT`) and `BROKER_ACTORS_TEST_REDIS` name running ones to use instead;
`tests/servers/command.py` tells how to start other generations.
"""

import os
import secrets
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest
import redis

from tests.servers import RabbitServer, RedisCluster, RedisServer, Server, VirtualHosts

# The same examples in every run: a finding belongs to the change under test. `make verify` draws
# new ones. No deadlines: how long an example takes depends on who else uses the machine.
hypothesis.settings.register_profile("test", derandomize=True, deadline=None)
hypothesis.settings.register_profile("verify", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile("test")

_DATABASE = 9
"""The number of the Redis database that tests empty. Not 0, which on a shared server is somebody's."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the simulation: it keeps one core busy while the others' tests wait for servers."""
    items.sort(key=lambda item: "tests/simulation/" not in item.nodeid)


@pytest.fixture(scope="session")
def private_rabbit() -> Iterator[RabbitServer]:
    """The one private RabbitMQ of a run: starting it takes seconds. Tests use it one after the other."""
    with RabbitServer(in_memory=True) as server:
        yield server


@pytest.fixture
def rabbit_server(private_rabbit: RabbitServer) -> RabbitServer:
    """A private RabbitMQ to break, running when the test begins.

    The URL of an empty broker on it is `rabbit_server.vhosts.create()`; `amqp_url` may be elsewhere.
    """
    private_rabbit.repair()
    return private_rabbit


@pytest.fixture(scope="module")
def vhosts(request: pytest.FixtureRequest) -> VirtualHosts:
    """Makes empty brokers, for a module whose tests share one."""
    running = os.environ.get("BROKER_ACTORS_TEST_AMQP")
    if running:
        return _vhosts_of(running)
    server: RabbitServer = request.getfixturevalue("private_rabbit")
    server.repair()
    return server.vhosts


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty broker: a virtual host of the test's own, removed at its end."""
    running = os.environ.get("BROKER_ACTORS_TEST_AMQP")
    server: RabbitServer | None = None if running else request.getfixturevalue("rabbit_server")
    vhosts = server.vhosts if server else _vhosts_of(running or "")
    url = vhosts.create()
    launches = server.launches if server else 0
    yield url
    if server:
        server.repair()  # the test may have broken it
        if server.launches > launches:
            # A quorum queue deleted in the moment of its recovery, before its dead-letter worker has
            # checked in, ends the supervisor of those workers (3.10.8). The node then answers every
            # declaration of such a queue with INTERNAL_ERROR, until it is restarted.
            return
    vhosts.delete(url)


@pytest.fixture(scope="session")
def shared_redis_url() -> Iterator[str]:
    """The store that tests share, one after the other."""
    running = os.environ.get("BROKER_ACTORS_TEST_REDIS")
    if running:
        yield running
    else:
        with RedisServer(in_memory=True) as server:
            yield server.url


@pytest.fixture
def redis_url(shared_redis_url: str) -> str:
    """An empty store."""
    return _emptied(shared_redis_url)


@pytest.fixture(scope="session")
def shared_redis_cluster() -> Iterator[RedisCluster]:
    """The cluster that tests share, one after the other."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(shared_redis_cluster: RedisCluster) -> RedisCluster:
    """An empty cluster of three nodes; a test may move slots, and breaks none of them."""
    shared_redis_cluster.clear()
    return shared_redis_cluster


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A private Redis to break, new for this test and empty."""
    with RedisServer(in_memory=True) as server:
        # A server started by a command may find what an earlier run left on this port.
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        yield server


@pytest.fixture
def namespace() -> str:
    """A short name no other test has, for what several tests share."""
    return f"t{secrets.token_hex(4)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what broken servers said, and fail a test that skips itself.

    A run that did not test must not look like one that did.
    """
    report = yield
    if report.failed:
        servers = [server for server in _arguments_of(item) if isinstance(server, Server)]
        report.sections += [(f"log of {type(server).__name__}", server.log_tail()) for server in servers]
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and a test that cannot run is a failure here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself, for the same reason."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and a module that cannot run is a failure here: {report.longrepr}"
    return report


def _arguments_of(item: pytest.Item) -> list[object]:
    return list(item.funcargs.values()) if isinstance(item, pytest.Function) else []


def _vhosts_of(amqp_url: str) -> VirtualHosts:
    default = f"http://{urlsplit(amqp_url).hostname}:15672"
    return VirtualHosts(amqp_url, os.environ.get("BROKER_ACTORS_TEST_MANAGEMENT", default))


def _emptied(url: str) -> str:
    url = urlunsplit(urlsplit(url)._replace(path=f"/{_DATABASE}"))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
