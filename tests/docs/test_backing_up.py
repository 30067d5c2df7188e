"""Every command of docs/how-to/backing-up.md on private servers, and what it says of a restored store."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
import redis

from broker_actors import ActorSystem, Worker
from tests.acceptance.counter import Counter, CounterRef
from tests.docs.tables import section
from tests.servers import RabbitServer, RedisServer, command

PAGE: Final = "backing-up.md"
_ANSWER_SECONDS: Final = 60
_POLICY: Final = '{"pattern": "^kept$", "definition": {"max-length": 7}}'

Follow: TypeAlias = Callable[[str, int], str]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """A private Redis with the files of this machine's one."""
    monkeypatch.delenv(command.REDIS, raising=False)
    with RedisServer(in_memory=True) as server:
        yield server


@pytest.fixture
def follow(store: RedisServer, rabbit_server: RabbitServer, tmp_path: Path) -> Follow:
    """Types in one of the blocks of commands below a heading, from 0; returns what they print."""
    places = {
        "BROKER_ACTORS_REDIS_URL": store.url,
        "REDIS_DIR": str(store.folder),
        "MANAGEMENT": f"http://guest:guest@127.0.0.1:{rabbit_server.management_port}",
        "BACKUP": str(tmp_path),
    }

    def type_in(heading: str, number: int) -> str:
        text = textwrap.dedent(_blocks(heading)[number])
        return _run(f"set -euo pipefail\n{text}", places)

    return type_in


def test_every_block_of_commands_is_typed_in_by_a_test() -> None:
    assert [len(_blocks(heading)) for heading in ("Redis", "RabbitMQ", "Restoring")] == [2, 1, 2]
    text = "".join(section(PAGE, heading) for heading in ("Redis", "RabbitMQ", "Restoring"))
    assert text.count("```") == 2 * 5


@pytest.mark.parametrize("kind", ["snapshot", "log"])
async def test_a_restored_backup_has_the_states_of_its_moment_and_nothing_later(
    kind: str, store: RedisServer, amqp_url: str, follow: Follow, tmp_path: Path
) -> None:
    await _counts(amqp_url, store.url, 1, 2, 3)
    printed = await asyncio.to_thread(follow, "Redis", ["snapshot", "log"].index(kind))
    assert (
        "RDB looks OK" in printed if kind == "snapshot" else "All AOF files and manifest are valid" in printed
    )
    await _counts(amqp_url, store.url, 4)

    await asyncio.to_thread(store.stop)
    shutil.rmtree(store.folder / "appendonlydir")
    if kind == "snapshot":
        assert "manifest are valid" in await asyncio.to_thread(follow, "Restoring", 0)
    else:
        shutil.copytree(tmp_path / "appendonlydir", store.folder / "appendonlydir")
    await asyncio.to_thread(store.restart)
    # The fourth turn was answered, and is lost: the page says so.
    await _counts(amqp_url, store.url, 4)


async def test_copying_the_log_leaves_its_rewriting_as_it_was(store: RedisServer, follow: Follow) -> None:
    with redis.Redis.from_url(store.url, decode_responses=True) as operator:
        before = operator.config_get("auto-aof-rewrite-percentage")
        await asyncio.to_thread(follow, "Redis", 1)
        assert operator.config_get("auto-aof-rewrite-percentage") == before


async def test_a_dump_alone_is_not_read(store: RedisServer, follow: Follow, tmp_path: Path) -> None:
    with redis.Redis.from_url(store.url) as operator:
        operator.set("state", "precious")
        await asyncio.to_thread(follow, "Redis", 0)
        await asyncio.to_thread(store.stop)
        shutil.rmtree(store.folder / "appendonlydir")
        shutil.copy(tmp_path / "actors.rdb", store.folder / "dump.rdb")
        await asyncio.to_thread(store.restart)
        assert operator.dbsize() == 0


def test_definitions_bring_policies_back(rabbit_server: RabbitServer, follow: Follow, tmp_path: Path) -> None:
    management = f"http://guest:guest@127.0.0.1:{rabbit_server.management_port}"
    policy = {"URL": f"{management}/api/policies/%2F/kept", "POLICY": _POLICY}
    _run('curl -fsS -X PUT -d "$POLICY" "$URL"', policy)
    follow("RabbitMQ", 0)
    _run('curl -fsS -X DELETE "$URL"', policy)
    follow("Restoring", 1)
    assert '"max-length":7' in _run('curl -fsS "$URL"', policy)
    _run('curl -fsS -X DELETE "$URL"', policy)
    assert (tmp_path / "definitions.json").stat().st_size > 0


async def test_states_are_all_there_on_a_new_broker(
    rabbit_server: RabbitServer, amqp_url: str, redis_url: str
) -> None:
    await _counts(amqp_url, redis_url, 1, 2)
    another = await asyncio.to_thread(rabbit_server.vhosts.create)
    await _counts(another, redis_url, 3)


async def _counts(amqp_url: str, redis_url: str, *expected: int) -> None:
    """Have a new worker, which begins with what is stored, count on."""
    async with ActorSystem.connect(amqp_url, redis_url) as system, Worker(system, Counter):
        counter = system.ref(CounterRef, "c1")
        assert [await counter.increment() for _ in expected] == list(expected)


def _blocks(heading: str) -> list[str]:
    return re.findall(r"^ *```sh\n(.*?)^ *```$", section(PAGE, heading), re.MULTILINE | re.DOTALL)


def _run(text: str, variables: dict[str, str]) -> str:
    run = subprocess.run(  # noqa: S603 - commands of our own page
        ["bash", "-c", text],  # noqa: S607 - the reader's own shell
        env=os.environ | variables,
        capture_output=True,
        check=False,
        text=True,
        timeout=_ANSWER_SECONDS,
    )
    assert run.returncode == 0, f"{text}\n{run.stdout}{run.stderr}"
    return run.stdout
