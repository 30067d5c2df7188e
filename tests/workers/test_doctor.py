"""`doctor` on real servers, from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
import redis
from typer.testing import CliRunner

from broker_actors import ActorSystem, Worker
from broker_actors.cli.app import app
from tests.servers import RedisServer
from workers.orders import Inventory, Notifier, Order, Payment

Shell: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def doctor(amqp_url: str, redis_server: RedisServer) -> Shell:
    """Runs `broker-actors doctor` and returns its exit code, stdout and stderr."""
    system = ActorSystem.connect(amqp_url, redis_server.url)
    async with system, Worker(system, Inventory, Notifier, Order, Payment):
        pass

    async def run(*words: str) -> tuple[int, str, str]:
        command = ["doctor", "--amqp", amqp_url, "--redis", redis_server.url, *words]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        return result.exit_code, result.stdout, result.stderr

    return run


async def test_a_deployment_where_a_worker_ran_is_0_and_says_what_is_fine(doctor: Shell) -> None:
    code, out, err = await doctor("workers.orders", "--strict")
    assert code == 0
    assert err.startswith("0 errors, 0 warnings, ")
    severities = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert severities == sorted(severities)  # as it happens: note, ok
    assert "no worker consumes 2 of 2 mailboxes of DemoOrder" in out
    assert "exchanges and queues are as declared" in out


async def test_warnings_fail_it_only_if_strict(doctor: Shell, redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as operator:
        operator.config_set("appendfsync", "everysec")
    code, out, _err = await doctor()
    assert (code, out.splitlines()[0].split()[:2]) == (0, ["warning", "store.durability"])
    assert (await doctor("--strict"))[0] == 1


async def test_errors_are_2_and_come_first_with_their_fix(doctor: Shell, redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as operator:
        operator.config_set("maxmemory-policy", "allkeys-lru")
    code, out, err = await doctor()
    first, fix, *_others = out.splitlines()
    assert (code, first.split()[:2]) == (2, ["error", "store.eviction"])
    assert fix.strip().startswith("fix: CONFIG SET maxmemory-policy noeviction")
    assert err.startswith("1 error, 0 warnings, ")


async def test_a_machine_reads_the_same(doctor: Shell, redis_server: RedisServer) -> None:
    code, out, _err = await doctor("--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (0, True)
    with redis.Redis.from_url(redis_server.url) as operator:
        operator.config_set("appendonly", "no")
    code, out, _err = await doctor("--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (2, False)
    first = document["findings"][0]
    assert (first["check"], first["severity"]) == ("store.durability", "error")
    assert first.keys() == {"check", "severity", "text", "fix"}


async def test_a_declaration_that_differs_from_what_is_on_record_is_found(
    doctor: Shell, redis_server: RedisServer
) -> None:
    with redis.Redis.from_url(redis_server.url) as operator:
        operator.hset("ba:layout:DemoOrder", "generation", "2")
    code, out, _err = await doctor("workers.orders:Order")
    assert code == 2
    assert "DemoOrder is declared with 2 partitions, generation 1" in out


async def test_servers_that_are_not_there_are_findings_and_not_a_crash() -> None:
    closed = ["--amqp", "amqp://guest:secret@127.0.0.1:1/", "--redis", "redis://:secret@127.0.0.1:1/0"]
    result = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", *closed])
    assert result.exit_code == 2
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("error")] == [
        "broker.reach",
        "store.reach",
    ]
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--management", "host:15672"], "must look like http://"),
        (["--amqp", "http://host/"], "amqp://"),
        (["nowhere"], "no module 'nowhere'"),
    ],
)
async def test_a_wrong_command_line_is_2_and_one_line(words: list[str], advice: str, redis_url: str) -> None:
    command = ["doctor", "--amqp", "amqp://127.0.0.1:1/", "--redis", redis_url, *words]
    result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert advice in result.stderr


async def test_without_a_broker_the_advice_is_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKER_ACTORS_URL", raising=False)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: no broker: set BROKER_ACTORS_URL")
