"""Each fault, made on a real broker, is found as itself, and nothing else is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

import pytest

from broker_actors.adapters.redis.store import RedisStore
from broker_actors.bootstrap.diagnosis import diagnose
from broker_actors.core import topology
from broker_actors.core.finding import Finding, Severity
from broker_actors.core.topology import Binding, Declaration, Exchange, Layout, Queue, Route
from broker_actors.settings import Settings
from tests.conformance.transport.brokers import message
from tests.integration.rabbitmq.control import MEMORY_ALARM, evaluate
from tests.integration.rabbitmq.support import Watcher, open_channel, open_transport
from tests.servers import RabbitServer

THING = Layout("Thing", partitions=2)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A virtual host in which a worker for `Thing` has run."""

    server: RabbitServer
    url: str
    redis_url: str

    @property
    def vhost(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")

    async def findings(self, *declared: Layout, url: str = "", managed: bool = True) -> list[Finding]:
        settings = Settings(url=url or self.url, redis_url=self.redis_url, connect_timeout_seconds=5.0)
        management = f"http://guest:guest@127.0.0.1:{self.server.management_port}" if managed else ""
        return await diagnose(settings, declared, management)

    async def errors(self, *declared: Layout, url: str = "", managed: bool = True) -> list[Finding]:
        found = await self.findings(*declared, url=url, managed=managed)
        return [one for one in found if one.severity is Severity.ERROR]

    async def declare(self, *declarations: Declaration) -> None:
        async with open_transport(self.url) as transport:
            await transport.declare(declarations)

    async def record(self, layout: Layout) -> None:
        store = await RedisStore.connect(self.redis_url, Watcher())
        assert await store.layout(layout) == layout
        await store.close()

    def manage(self, verb: str, path: str, **body: object) -> None:
        self.server.vhosts._request(
            verb, f"/api/{path}", json.dumps(body), also_fine={404} if verb == "DELETE" else ()
        )

    @contextmanager
    def managed(self, path: str, **body: object) -> Iterator[None]:
        """Make something through the management API and remove it in the end."""
        self.manage("PUT", path, **body)
        try:
            yield
        finally:
            self.manage("DELETE", path)

    def as_user(self, user: str, password: str = "") -> str:
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{user}:{password or user}@{parts.hostname}:{parts.port}"))


@pytest.fixture(scope="module")
def declared_url(private_rabbit: RabbitServer) -> str:
    """A virtual host with what a worker declares: some seventy queues and exchanges, so once for all.

    Nobody removes it: tests restart this broker, and `amqp_url` tells what a removal then breaks.
    """
    private_rabbit.repair()
    url = private_rabbit.vhosts.create()

    async def declare() -> None:
        async with open_transport(url) as transport:
            await transport.declare([*topology.common(), *topology.of(THING)])

    asyncio.run(declare())
    return url


@pytest.fixture
async def deployment(declared_url: str, rabbit_server: RabbitServer, redis_url: str) -> Deployment:
    deployment = Deployment(rabbit_server, declared_url, redis_url)
    await deployment.record(THING)
    return deployment


async def test_a_healthy_deployment_has_neither_errors_nor_warnings(deployment: Deployment) -> None:
    findings = await deployment.findings(THING)
    assert [one for one in findings if one.severity > Severity.NOTE] == []
    fine = {one.check for one in findings if one.severity is Severity.OK}
    assert fine >= {
        "broker.reach",
        "broker.permissions",
        "broker.topology",
        "broker.alarms",
        "broker.policies",
    }


async def test_an_examination_changes_nothing(rabbit_server: RabbitServer, redis_url: str) -> None:
    deployment = Deployment(rabbit_server, rabbit_server.vhosts.create(), redis_url)
    assert await deployment.errors(THING) == []
    listed = rabbit_server.vhosts._request("GET", f"/api/queues/{deployment.vhost}?columns=name")
    assert json.loads(listed) == []
    exchanges = rabbit_server.vhosts._request("GET", f"/api/exchanges/{deployment.vhost}?columns=name")
    assert [one for one in json.loads(exchanges) if one["name"].startswith("actors")] == []
    rabbit_server.vhosts.delete(deployment.url)


async def test_mailboxes_without_a_worker_are_a_note(deployment: Deployment) -> None:
    async with open_transport(deployment.url) as transport:
        await transport.publish(Route("actors", "Thing.g1.0"), message("waits"))
    (found,) = [one for one in await deployment.findings() if one.check == "broker.workers"]
    assert found.severity is Severity.NOTE
    assert "2 of 2 mailboxes of Thing, where 1 messages wait" in found.text
    async with open_channel(deployment.url) as channel:
        await channel.queue_purge("actors.Thing.g1.0")


@pytest.mark.parametrize("missing", ["configure", "write", "read"])
async def test_a_missing_permission_is_named_with_the_command_that_gives_it(
    missing: str, deployment: Deployment
) -> None:
    rights = {"configure": ".*", "write": ".*", "read": ".*"} | {missing: "^$"}
    with deployment.managed("users/limited", password="limited", tags=""):  # noqa: S106 - a user of this test
        deployment.manage("PUT", f"permissions/{deployment.vhost}/limited", **rights)
        (found,) = await deployment.errors(url=deployment.as_user("limited"), managed=False)
    assert (found.check, f"no {missing} permission" in found.text) == ("broker.permissions", True)
    assert f"rabbitmqctl set_permissions -p {deployment.vhost} limited" in found.fix


@pytest.mark.parametrize(
    ("rights", "text"),
    [
        ({"write": r"^actors\."}, "no write permission on actors:"),
        ({"write": r"^actors(\.dead|\.delay.*)?$"}, "no write permission on actors.doctor-"),
        ({"read": r"^actors\."}, "no read permission on actors:"),
        ({"read": "^actors$"}, "no read permission on actors.doctor-"),
        ({"configure": r"^actors$"}, "no configure permission on actors.doctor-"),
    ],
)
async def test_a_permission_on_a_part_of_the_names_is_not_enough(
    rights: dict[str, str], text: str, deployment: Deployment
) -> None:
    with deployment.managed("users/limited", password="limited", tags=""):  # noqa: S106 - a user of this test
        every = {"configure": ".*", "write": ".*", "read": ".*"}
        deployment.manage("PUT", f"permissions/{deployment.vhost}/limited", **every | rights)
        (found,) = await deployment.errors(url=deployment.as_user("limited"), managed=False)
    assert text in found.text


async def test_another_delivery_limit_is_named(deployment: Deployment) -> None:
    odd = Layout("Odd", partitions=1)
    for one in topology.of(odd):
        if isinstance(one, Queue) and "Odd.g1" in one.name:
            await deployment.declare(
                Queue(one.name, MappingProxyType({**one.arguments, "x-delivery-limit": 5}))
            )
        else:
            await deployment.declare(one)
    await deployment.record(odd)
    (found,) = await deployment.errors()
    assert found.check == "broker.topology"
    assert "queue actors.Odd.g1.0" in found.text
    assert "x-delivery-limit is '5', declared was '1000000'" in found.text


@pytest.mark.parametrize("kind", ["policies", "operator-policies"])
async def test_a_policy_that_lowers_the_delivery_limit_is_found(kind: str, deployment: Deployment) -> None:
    low = {"pattern": "^actors", "definition": {"delivery-limit": 20}, "apply-to": "queues", "priority": 1}
    with deployment.managed(f"{kind}/{deployment.vhost}/low", **low):
        (found,) = await deployment.errors()
    assert found.check == "broker.policies"
    assert "policy 'low' sets delivery-limit to 20 on " in found.text


@pytest.mark.parametrize("kind", ["policies", "operator-policies"])
async def test_the_bounds_of_mailboxes_are_seen_and_those_of_delays_are_warned_of(
    kind: str, deployment: Deployment
) -> None:
    async def found() -> list[Severity]:
        return [one.severity for one in await deployment.findings() if one.check == "broker.bounds"]

    assert await found() == [Severity.NOTE]
    bound = {"definition": {"max-length": 100_000}, "apply-to": "queues", "priority": 1}
    with deployment.managed(f"{kind}/{deployment.vhost}/bound", pattern=r"^actors\.[A-Z]\w*\.g", **bound):
        assert await found() == [Severity.OK]
    with deployment.managed(f"{kind}/{deployment.vhost}/bound", pattern=r"^actors\.(T|delay)", **bound):
        assert await found() == [Severity.WARNING, Severity.OK]


async def test_a_policy_that_raises_a_limit_changes_nothing(deployment: Deployment) -> None:
    high = {"pattern": ".*", "definition": {"delivery-limit": 2_000_000}, "apply-to": "all"}
    with deployment.managed(f"policies/{deployment.vhost}/high", **high):
        assert await deployment.errors() == []


async def test_an_exchange_that_swallows_unroutable_messages_is_found(deployment: Deployment) -> None:
    net = {"pattern": "^actors$", "definition": {"alternate-exchange": "net"}, "apply-to": "exchanges"}
    await deployment.declare(Exchange("net", kind="fanout"), Queue("caught"), Binding("net", "caught", ""))
    with deployment.managed(f"policies/{deployment.vhost}/net", **net):
        (found,) = await deployment.errors()
    assert (found.check, "exchange actors confirms" in found.text) == ("broker.unroutable", True)


async def test_a_recorded_type_without_its_queues_is_an_error_and_a_new_one_a_note(
    deployment: Deployment,
) -> None:
    lost, new = Layout("Lost", partitions=1), Layout("New", partitions=1)
    await deployment.record(lost)
    findings = [one for one in await deployment.findings(new) if one.check == "broker.topology"]
    assert [(one.severity, one.text.partition(",")[0]) for one in findings] == [
        (Severity.ERROR, "actors.dead.Lost"),
        (Severity.NOTE, "actors.dead.New"),
    ]


async def test_a_missing_binding_is_an_error(deployment: Deployment) -> None:
    async with open_channel(deployment.url) as channel:
        await channel.queue_unbind("actors.Thing.g1.1", "actors", "Thing.g1.1")
    (found,) = await deployment.errors()
    assert "actors -> actors.Thing.g1.1 (Thing.g1.1)" in found.text
    await deployment.declare(Binding("actors", "actors.Thing.g1.1", "Thing.g1.1"))


@pytest.mark.parametrize("managed", [True, False])
async def test_messages_in_a_layout_of_the_past_are_a_warning(managed: bool, deployment: Deployment) -> None:
    old, new = Layout("Moved", 1, 2), Layout("Moved", 2, 1)
    await deployment.declare(*topology.of(old), *topology.of(new))
    await deployment.record(new)
    async with open_transport(deployment.url) as transport:
        await transport.publish(Route("actors", "Moved.g1.1"), message("forgotten"))
    found = [one for one in await deployment.findings(managed=managed) if one.check == "broker.leftovers"]
    async with open_channel(deployment.url) as channel:
        for name in (*old.mailboxes(), *new.mailboxes()):
            await channel.queue_delete(name)
    full, empty = found
    assert (full.severity, "1 messages wait" in full.text, "actors.Moved.g1.1" in full.text) == (
        Severity.WARNING,
        True,
        True,
    )
    assert (empty.severity, "actors.Moved.g1.0" in empty.text) == (Severity.NOTE, True)


async def test_who_is_not_let_in_learns_why(deployment: Deployment) -> None:
    parts = urlsplit(deployment.url)
    with deployment.managed("users/stranger", password="stranger", tags=""):  # noqa: S106 - a user of this test
        urls = [
            urlunsplit(parts._replace(netloc="guest:secret@127.0.0.1:1")),
            deployment.as_user("guest", "secret"),
            urlunsplit(parts._replace(path="/nowhere")),
            deployment.as_user("stranger"),
        ]
        found = [await deployment.errors(url=url, managed=False) for url in urls]
    assert [[one.check for one in errors] for errors in found] == [["broker.reach"]] * 4
    closed, login, nowhere, stranger = (errors[0].text for errors in found)
    assert "no broker answers at 127.0.0.1:1" in closed
    assert "refuses the login of user 'guest'" in login
    assert "vhost nowhere not found" in nowhere
    assert "refused for user 'stranger'" in stranger
    assert "secret" not in "".join(one.text + one.fix for errors in found for one in errors)


async def test_a_management_api_that_does_not_answer_is_a_warning(deployment: Deployment) -> None:
    settings = Settings(url=deployment.url, redis_url=deployment.redis_url)
    for management, why in (
        ("http://127.0.0.1:1", "cannot be asked"),
        (f"http://guest:secret@127.0.0.1:{deployment.server.management_port}", "does not let user 'guest'"),
        (f"http://127.0.0.1:{deployment.server.management_port}/elsewhere", "answered 404"),
    ):
        findings = await diagnose(settings, [], management)
        (found,) = [one for one in findings if one.severity > Severity.NOTE]
        assert (found.check, found.severity) == ("broker.management", Severity.WARNING)
        assert why in found.text
        assert "secret" not in found.text


async def test_a_broker_short_of_memory_is_found(controlled_server: RabbitServer, redis_url: str) -> None:
    url = await asyncio.to_thread(controlled_server.vhosts.create)
    await asyncio.to_thread(evaluate, controlled_server, f"rabbit_alarm:set_alarm({MEMORY_ALARM})")
    try:
        (found,) = await Deployment(controlled_server, url, redis_url).errors(managed=False)
    finally:
        clear = "rabbit_alarm:clear_alarm({resource_limit, memory, node()})"
        await asyncio.to_thread(evaluate, controlled_server, clear)
    assert found.check == "broker.alarms"
    assert "takes no messages" in found.text


async def test_a_stopped_broker_is_one_finding(deployment: Deployment) -> None:
    await asyncio.to_thread(deployment.server.kill)
    (found,) = await deployment.errors()
    assert found.check == "broker.reach"
    await asyncio.to_thread(deployment.server.repair)
