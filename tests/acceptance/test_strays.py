"""What nobody can read, send on or deliver ends in the dead letters and blocks nothing."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast

import aiormq
import pytest
from pamqp import encode
from pamqp.commands import Basic
from pamqp.common import FieldTable

from broker_actors.core import dead
from broker_actors.core.errors import ErrorRecord, UndecodableError
from broker_actors.core.events import ConsumerLost, Trouble, TurnEnded
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.retry import Retry
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.runtime import relay
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Lamp
from tests.acceptance.dead_letters import take, take_from

#: `{"args": [1]}` as msgpack.
BODY = b"\x81\xa4args\x91\x01"
MAILBOX = Route("actors", "Counter.g1.0")
#: What the client library reads and does not write: each as it is read, and as it lies on the wire.
ONE_WAY: Mapping[str, tuple[object, bytes]] = {
    "double": (1e300, b"d" + struct.pack(">d", 1e300)),
    "decimal": (Decimal(-1), b"D\x00" + struct.pack(">i", -1)),
}


def _table(headers: FieldTable, raw: Mapping[str, bytes]) -> bytes:
    fields = b""
    for name, value in headers.items():
        fields += bytes([len(name)]) + name.encode() + (raw.get(name) or encode.encode_table_value(value))
    return struct.pack(">I", len(fields)) + fields


def _writing(raw: Mapping[str, bytes]) -> Callable[[FieldTable], bytes]:
    return lambda headers: _table(headers, raw)


async def publish(
    deployment: Deployment,
    route: Route,
    headers: Mapping[str, object],
    method: str = "increment",
    **raw: bytes,
) -> None:
    """Publish what our own transport would refuse; *raw* are values as they shall lie on the wire."""
    embedded = deployment._embedded  # pyright: ignore[reportPrivateUsage] # there is no port for foreign clients
    if embedded is not None:
        embedded.broker.publish(route, WireMessage(headers, BODY, "", method))
        return
    connection = await aiormq.connect(deployment.settings.url)
    try:
        channel = await connection.channel()
        table = cast("FieldTable", dict(headers))
        properties = Basic.Properties(headers=table, message_type=method, delivery_mode=2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(encode.METHODS, "table", _writing(raw))
            await channel.basic_publish(
                BODY, exchange=route.exchange, routing_key=route.key, properties=properties
            )
    finally:
        await connection.close()


def hurried(monkeypatch: pytest.MonkeyPatch, attempts: int = 2) -> None:
    """Let the relay give up after *attempts*, and wait as short as the delay levels can."""
    monkeypatch.setattr(relay, "UNKNOWN_TARGET", Retry(attempts, min_backoff=0.0, max_backoff=0.0))
    monkeypatch.setattr(relay, "WAIT_SECONDS_MIN", 0.01)


@pytest.mark.parametrize("kind", ONE_WAY)
async def test_a_header_that_cannot_be_written_again_does_not_block_its_mailbox(
    deployment: Deployment, kind: str
) -> None:
    system = await deployment.system()
    value, raw = ONE_WAY[kind]
    async with deployment.worker(Counter):
        await publish(deployment, MAILBOX, {"ba-type": "Counter", "note": value}, note=raw)
        (letter,) = await take(system.backend.transport, "Counter", 1)
        assert (letter.reason, letter.message.body) == ("undecodable", BODY)
        assert letter.message.headers["note"] == repr(value)
        assert await system.ref(CounterRef, "c1").increment() == 1
    assert not deployment.watcher.of(Trouble)


async def test_what_cannot_be_buried_as_it_is_is_buried_without_its_headers(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Dispatch.send

    async def refusing(self: Dispatch, item: Outgoing) -> None:
        if "note" in item.message.headers:
            text = "no way to write it"
            raise UndecodableError(text)
        await send(self, item)

    monkeypatch.setattr(Dispatch, "send", refusing)
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, MAILBOX, {"ba-type": "Counter", "note": "n"})
        (letter,) = await take(system.backend.transport, "Counter", 1)
    assert letter.message == WireMessage({"ba-type": "Counter"}, BODY, message_id=letter.message.message_id)
    assert (letter.reason, letter.origin) == ("undecodable", "actors.Counter.g1.0")


async def test_an_astray_message_with_a_header_that_cannot_be_written_finds_its_actor(
    deployment: Deployment,
) -> None:
    await deployment.system()
    async with deployment.worker(Counter):
        headers = {"ba-type": "Counter", "ba-id": "c1", "n" * 200: 1}
        await publish(deployment, Route("actors.in", "nowhere"), headers)
        (ended,) = await deployment.watcher.wait_for(TurnEnded)
    assert ended.outcome == "ok"
    assert not deployment.watcher.of(Trouble)


async def test_a_delayed_message_with_a_header_that_cannot_be_written_is_buried(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, Route("actors.due", "due"), {"n" * 200: 1, "note": "mine"})
        (letter,) = await take_from(system.backend.transport, "actors.dead", 1)
    assert (letter.reason, letter.message.body) == ("undecodable", BODY)
    assert letter.message.headers == {"note": "mine"}


async def test_a_message_for_a_type_nobody_declares_is_buried_after_some_tries(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch, attempts=3)
    system = await deployment.system()
    async with deployment.worker(Counter):
        headers = {"ba-type": "Nobody", "ba-id": "n", "note": "mine"}
        await publish(deployment, Route("actors.in", "Nobody"), headers)
        (letter,) = await take_from(system.backend.transport, "actors.dead", 1)
    assert (letter.reason, letter.message.type, letter.message.body) == ("unknown_target", "increment", BODY)
    assert letter.message.headers["ba-type"] == "Nobody"
    assert len(deployment.watcher.of(Trouble)) == 3


async def test_a_delayed_message_for_an_actor_nobody_spawned_is_buried_after_some_tries(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    system = await deployment.system()
    async with deployment.worker(Lamp):
        headers = {"ba-type": "Lamp", "ba-id": "never spawned"}
        await publish(deployment, Route("actors.due", "due"), headers, "switch")
        (letter,) = await take(system.backend.transport, "Lamp", 1)
    assert (letter.reason, letter.message.headers["ba-id"]) == ("unroutable", "never spawned")
    assert dead.redriven(letter).address.id == "never spawned"


@pytest.mark.parametrize("route", [MAILBOX, Route("actors.due", "due")], ids=["strays", "relay"])
@pytest.mark.filterwarnings("error")
async def test_a_bug_while_burying_is_told_and_gives_the_mailbox_back(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    of_message = dead.of_message
    failed = asyncio.Event()

    def failing_once(
        message: WireMessage, error: ErrorRecord, *, actor_type: str, origin: str, now_ms: int
    ) -> Outgoing:
        if failed.is_set():
            return of_message(message, error, actor_type=actor_type, origin=origin, now_ms=now_ms)
        failed.set()
        text = "a bug"
        raise RuntimeError(text)

    monkeypatch.setattr(dead, "of_message", failing_once)
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(deployment, route, {})
        queue = "actors.dead.Counter" if route is MAILBOX else "actors.dead"
        (letter,) = await take_from(system.backend.transport, queue, 1)
    assert letter.message.body == BODY
    assert "RuntimeError('a bug')" in [event.error for event in deployment.watcher.of(Trouble)]
    assert "given back to the broker" in [event.reason for event in deployment.watcher.of(ConsumerLost)]
