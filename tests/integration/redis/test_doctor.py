"""Each fault, made on a real store, is found as itself, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from broker_actors.adapters.redis.doctor import Examined, NoStore, examine
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address
from broker_actors.core.diagnosis.store import judge_no_store, judge_store
from broker_actors.core.finding import Finding, Severity
from broker_actors.core.topology import Layout
from tests.conformance.stores import Events
from tests.servers import RedisServer


async def examined(url: str) -> Examined:
    found = await examine(RedisSettings(url), Events())
    assert isinstance(found, Examined), found
    return found


async def wrong(url: str) -> list[Finding]:
    """What is worse than a note."""
    return [one for one in judge_store((await examined(url)).facts) if one.severity > Severity.NOTE]


@pytest.fixture
def operator(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """Somebody who may set up the server."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def allow(server: RedisServer, user: str, *rules: str) -> None:
    """Give *user*, whose password is pw, these rules."""
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER", user, "on", ">pw", *rules)


async def test_a_store_set_up_as_recommended_has_nothing_wrong(redis_server: RedisServer) -> None:
    assert await wrong(redis_server.url) == []
    found = await examined(redis_server.url)
    assert abs(found.ahead_seconds) < 1.0
    assert 0 < found.latency_seconds < 10


async def test_an_examination_leaves_nothing_behind(redis_server: RedisServer, operator: redis.Redis) -> None:
    await examined(redis_server.url)
    assert operator.dbsize() == 0


@pytest.mark.parametrize(
    ("setting", "check", "severity", "text"),
    [
        ("maxmemory-policy allkeys-lru", "store.eviction", Severity.ERROR, "is allkeys-lru"),
        ("maxmemory-policy volatile-ttl", "store.eviction", Severity.ERROR, "is volatile-ttl"),
        ("appendonly no", "store.durability", Severity.ERROR, "appendonly is off"),
        ("appendfsync everysec", "store.durability", Severity.WARNING, "the last second"),
        ("appendfsync no", "store.durability", Severity.ERROR, "appendfsync is no"),
        ("no-appendfsync-on-rewrite yes", "store.durability", Severity.WARNING, "while the log is rewritten"),
    ],
)
async def test_a_setting_that_risks_what_was_committed_is_found(
    setting: str, check: str, severity: Severity, text: str, redis_server: RedisServer
) -> None:
    name, _, value = setting.partition(" ")
    with redis.Redis.from_url(redis_server.url) as operator:
        operator.config_set(name, value)
    (found,) = await wrong(redis_server.url)
    assert (found.check, found.severity) == (check, severity)
    assert text in found.text
    assert name in found.fix


async def test_a_full_store_is_found(redis_server: RedisServer, operator: redis.Redis) -> None:
    operator.config_set("maxmemory", "100kb")
    memory, commands = await wrong(redis_server.url)
    assert (memory.check, memory.severity) == ("store.memory", Severity.WARNING)
    assert (commands.check, commands.severity) == ("store.commands", Severity.ERROR)
    assert "raise maxmemory" in commands.fix


async def test_a_replica_is_one_finding(redis_server: RedisServer, operator: redis.Redis) -> None:
    operator.replicaof("127.0.0.1", 1)
    (found,) = await wrong(redis_server.url)
    assert (found.check, "read-only replica" in found.text) == ("store.role", True)


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        (["~*", "+@all", "-evalsha"], "evalsha"),
        (["~*", "+@all", "-script"], "script"),
        (["~*", "+@all", "-hset"], "HSET"),
        (["~*", "+@all", "-xread"], "XREAD"),
        (["~other:*", "+@all"], "EVALSHA"),
    ],
)
async def test_a_command_the_user_may_not_run_is_named(
    rules: list[str], refused: str, redis_server: RedisServer
) -> None:
    allow(redis_server, "limited", *rules)
    (found,) = await wrong(redis_server.url.replace("redis://", "redis://limited:pw@"))
    assert (found.check, found.severity) == ("store.commands", Severity.ERROR)
    assert refused.lower() in found.text.lower()
    assert "ACL SETUSER" in found.fix


async def test_the_rules_that_a_fix_gives_are_enough(redis_server: RedisServer) -> None:
    allow(redis_server, "limited", "~ba:*", "+@connection", "+evalsha", "+info")
    url = redis_server.url.replace("redis://", "redis://limited:pw@")
    fix = next(one.fix for one in await wrong(url) if one.check == "store.commands")
    rules = fix.partition("<user> ")[2].partition(" (")[0].split()
    allow(redis_server, "limited", *rules)
    assert await wrong(url) == []


async def test_what_we_may_not_ask_is_a_note(redis_server: RedisServer) -> None:
    allow(redis_server, "limited", "~*", "+@all", "-config")
    found = await examined(redis_server.url.replace("redis://", "redis://limited:pw@"))
    notes = [one.text for one in judge_store(found.facts) if one.severity is Severity.NOTE]
    assert any("does not let us ask for appendfsync" in text for text in notes)


async def test_recorded_layouts_and_dedicated_ids_are_found(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    many, single = Layout("Many", 2, 4), Layout("Single", partitions=0)
    await store.layout(many)
    await store.layout(single)
    await store.spawn(Address("Single", "one"))
    await store.close()
    found = await examined(redis_server.url)
    assert (found.layouts, dict(found.spawned), found.searched) == ([many, single], {"Single": ["one"]}, True)


async def test_who_is_not_let_in_learns_why(redis_server: RedisServer) -> None:
    allow(redis_server, "known", "~*", "+@all")
    login = await examine(RedisSettings(redis_server.url.replace("//", "//known:secret@")), Events())
    closed = await examine(RedisSettings("redis://:secret@127.0.0.1:1/0"), Events())
    assert isinstance(login, NoStore)
    assert isinstance(closed, NoStore)
    assert (login.refused, closed.refused) == (True, False)
    for found in (login, closed):
        finding = judge_no_store(refused=found.refused, detail=found.detail)
        assert (finding.check, finding.severity) == ("store.reach", Severity.ERROR)
        assert "secret" not in finding.text
