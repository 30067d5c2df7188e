"""Many callers on one connection: nobody gets another's answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis import batcher as batchers
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer, Link
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.errors import ConfigurationError, StoreUnavailableError
from broker_actors.core.events import Trouble
from broker_actors.core.turn import Committed
from tests.conformance.stores import Events, actor, commit_of
from tests.integration.redis.proxy import proxy_to
from tests.servers import RedisServer


async def test_cancelled_callers_never_mix_up_the_answers_of_others(redis_url: str) -> None:
    dice = random.Random(17)  # noqa: S311 - a schedule, not a secret
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    answered = 0

    async def caller(n: int) -> None:
        nonlocal answered
        for turn in range(20):
            call = asyncio.create_task(batcher.call("ECHO", f"{n}.{turn}"))
            if dice.random() < 0.5:
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
                if call.cancel():
                    await asyncio.wait([call])
                    assert call.cancelled() or call.result() == b"%d.%d" % (n, turn)
                    continue
            assert await call == b"%d.%d" % (n, turn)
            answered += 1

    await asyncio.gather(*(caller(n) for n in range(200)))
    assert answered > 1000
    await batcher.close()


async def test_a_cancelled_commit_is_applied_or_not_and_the_others_are(redis_url: str) -> None:
    store = await RedisStore.connect(redis_url, Events())
    claims = await asyncio.gather(*(store.claim(actor(f"c{n}"), "mine") for n in range(300)))
    calls = [asyncio.create_task(store.commit(commit_of(claim, "turn"))) for claim in claims]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    kept = [outcome for n, outcome in enumerate(outcomes) if n % 3]
    assert kept == [Committed()] * 200
    # Sent again, it is one commit whether the first was applied or not.
    assert await store.commit(commit_of(claims[0], "turn")) == Committed()
    assert (await store.claim(claims[0].address, "next")).version == 1
    await store.close()


async def test_what_was_cancelled_before_it_was_sent_is_not_sent(redis_url: str) -> None:
    store = await RedisStore.connect(redis_url, Events())
    claim = await store.claim(actor(), "mine")
    call = asyncio.create_task(store.commit(commit_of(claim, "turn")))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert (await store.claim(actor(), "next")).version == 0
    await store.close()


async def test_scripts_flushed_under_load_are_loaded_again(redis_url: str) -> None:
    store = await RedisStore.connect(redis_url, Events())
    done = asyncio.Event()

    async def write(n: int) -> None:
        claim = await store.claim(actor(f"c{n}"), "mine")
        for version in range(100):
            turn = commit_of(replace(claim, version=version), f"turn {version}")
            assert await store.commit(turn) == Committed()

    async def flush() -> int:
        flushes = 0
        async with Redis.from_url(redis_url) as redis:
            while not done.is_set():
                await redis.script_flush()
                flushes += 1
        return flushes

    flushing = asyncio.create_task(flush())
    await asyncio.gather(*(write(n) for n in range(32)))
    done.set()
    assert await flushing > 10
    await store.close()


async def test_commands_beyond_the_bound_wait_for_room(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batchers, "WAITING_MAX", 8)
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    answers = await asyncio.gather(*(batcher.call("ECHO", str(n)) for n in range(500)))
    assert answers == [b"%d" % n for n in range(500)]
    await batcher.close()


async def test_a_batch_larger_than_its_bound_leaves_in_parts(redis_url: str) -> None:
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    bodies = [bytes([65 + n]) * 3_000_000 for n in range(7)]
    assert await asyncio.gather(*(batcher.call("ECHO", body) for body in bodies)) == bodies
    await batcher.close()


async def test_commands_of_one_loop_pass_leave_together(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    sizes: list[int] = []
    exchange = Link.exchange

    async def counting(self: Link, commands: list[bytes], seconds: float) -> list[Answer]:
        sizes.append(len(commands))
        return await exchange(self, commands, seconds)

    monkeypatch.setattr(Link, "exchange", counting)
    await asyncio.gather(*(batcher.call("PING") for _ in range(100)))
    assert sizes == [100]
    await batcher.close()


async def test_a_silent_server_is_given_up_at_the_deadline(redis_url: str) -> None:
    async with proxy_to(redis_url) as (proxy, proxied):
        store = await RedisStore.connect(proxied, Events(), timeout_seconds=0.6)
        proxy.pipes[-1].swallow_answers()
        proxy.silent = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailableError, match=r"no answer .* within 0\.6 s"):
            await store.outbox(actor())
        assert asyncio.get_running_loop().time() - started < 2
        proxy.silent = False
        assert dict(await store.outbox(actor())) == {}
        await store.close()


async def test_a_frozen_server_serves_again_when_it_thaws(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events(), timeout_seconds=0.6)
    claim = await store.claim(actor(), "mine")
    redis_server.freeze()
    with pytest.raises(StoreUnavailableError):
        await store.commit(commit_of(claim, "turn"))
    redis_server.thaw()
    # What the frozen server held back is applied now, or by this one: once.
    assert await store.commit(commit_of(claim, "turn")) == Committed()
    assert (await store.claim(actor(), "next")).version == 1
    await store.close()


async def test_a_server_that_is_not_there_is_named_without_the_password(redis_server: RedisServer) -> None:
    redis_server.kill()
    url = redis_server.url.replace("redis://", "redis://user:secret@")
    with pytest.raises(StoreUnavailableError, match=f":{redis_server.port}/0 .* is it running") as raised:
        await RedisStore.connect(url, Events(), timeout_seconds=0.3)
    assert "secret" not in str(raised.value)


async def test_refused_credentials_are_told_at_once(redis_url: str) -> None:
    url = redis_url.replace("redis://", "redis://nobody:secret@")
    started = asyncio.get_running_loop().time()
    with pytest.raises(StoreUnavailableError, match="refused") as raised:
        await RedisStore.connect(url, Events())
    assert "secret" not in str(raised.value)
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_full_server_refuses_commits_and_still_forgets(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    claim = await store.claim(actor(), "mine")
    await store.commit(commit_of(claim, "turn 1", b"kept", (b"item",)))
    later = replace(claim, version=1)
    async with Redis.from_url(redis_server.url) as redis:
        await redis.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="raise maxmemory"):
            await store.commit(commit_of(later, "turn 2", b"two", (b"item",)))
        await store.dispatched(actor(), list(await store.outbox(actor())))
        assert dict(await store.outbox(actor())) == {}
        await redis.config_set("maxmemory", 0)
    assert await store.commit(commit_of(later, "turn 2", b"two")) == Committed()
    await store.close()


async def test_a_replica_is_left_for_the_primary_at_the_same_address(redis_server: RedisServer) -> None:
    store = await RedisStore.connect(redis_server.url, Events())
    claim = await store.claim(actor(), "mine")
    async with Redis.from_url(redis_server.url) as redis:
        await redis.replicaof("127.0.0.1", str(redis_server.port))
        commit = asyncio.create_task(store.commit(commit_of(claim, "turn")))
        await asyncio.sleep(0.1)
        assert not commit.done()
        await redis.replicaof("NO", "ONE")
        assert await commit == Committed()
    assert (await store.claim(actor(), "next")).version == 1
    await store.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1?nonsense=1"])
async def test_a_url_that_cannot_work_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        await RedisStore.connect(url, Events())


async def test_a_prefix_that_would_move_the_hash_tag_is_refused(redis_url: str) -> None:
    with pytest.raises(ConfigurationError, match="braces"):
        await RedisStore.connect(redis_url, Events(), prefix="{ba}")


async def test_closing_fails_whoever_waits_and_whoever_comes_later(redis_url: str) -> None:
    async with proxy_to(redis_url) as (proxy, proxied):
        store = await RedisStore.connect(proxied, Events())
        proxy.pipes[-1].swallow_answers()
        waiting = asyncio.create_task(store.outbox(actor()))
        await proxy.pipes[-1].swallowed.wait()
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await waiting
        with pytest.raises(StoreUnavailableError, match="closed"):
            await store.outbox(actor())


async def test_a_bug_in_the_connections_task_is_reported_and_does_not_hang_anybody(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Events()
    batcher = Batcher(RedisSettings(redis_url), events, "test")

    async def broken(_self: Link, _commands: list[bytes], _seconds: float) -> list[Answer]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Link, "exchange", broken)
        assert isinstance(await batcher.call("PING"), Exception)
    assert [event for event in events.seen if isinstance(event, Trouble)] != []
    assert await batcher.call("PING") == b"PONG"
    await batcher.close()
