"""Many callers on one connection: nobody gets another's answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from broker_actors.adapters.redis import queue
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer, Link, LinkLostError, pack
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.errors import StoreUnavailableError
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
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    call = asyncio.create_task(batcher.call("SET", "one", "x"))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert await batcher.call("EXISTS", "one") == 0
    await batcher.close()


async def test_a_connection_cancelled_in_an_exchange_is_never_used_again(redis_url: str) -> None:
    link = Link(RedisSettings(redis_url), Events(), "test")
    await link.open()
    exchange = asyncio.create_task(link.exchange([pack("ECHO", "first")], 1))
    await asyncio.sleep(0)
    exchange.cancel()
    await asyncio.wait([exchange])
    with pytest.raises(LinkLostError):
        await link.exchange([pack("ECHO", "second")], 1)
    assert await link.open() is True
    assert await link.exchange([pack("ECHO", "second")], 1) == [b"second"]
    await link.close()


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
    monkeypatch.setattr(queue, "WAITING_MAX", 8)
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    answers = await asyncio.gather(*(batcher.call("ECHO", str(n)) for n in range(500)))
    assert answers == [b"%d" % n for n in range(500)]
    await batcher.close()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many commands each write held, as it grows."""
    sizes: list[int] = []
    exchange = Link.exchange

    async def counting(self: Link, commands: list[bytes], seconds: float) -> list[Answer]:
        sizes.append(len(commands))
        return await exchange(self, commands, seconds)

    monkeypatch.setattr(Link, "exchange", counting)
    return sizes


async def test_commands_of_one_loop_pass_leave_together(redis_url: str, writes: list[int]) -> None:
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    await asyncio.gather(*(batcher.call("PING") for _ in range(100)))
    assert writes == [100]
    await batcher.close()


async def test_a_batch_larger_than_its_bounds_leaves_in_parts(redis_url: str, writes: list[int]) -> None:
    batcher = Batcher(RedisSettings(redis_url), Events(), "test")
    bodies = [bytes([65 + n]) * 3_000_000 for n in range(7)]
    assert await asyncio.gather(*(batcher.call("ECHO", body) for body in bodies)) == bodies
    assert writes == [2, 2, 2, 1]
    writes.clear()
    await asyncio.gather(*(batcher.call("PING") for _ in range(1100)))
    assert writes == [512, 512, 76]
    await batcher.close()


async def test_what_nobody_waits_for_does_not_fill_the_queue_for_good(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "WAITING_MAX", 50)
    batcher = Batcher(RedisSettings(redis_server.url, deadline_seconds=2), Events(), "test")
    assert await batcher.call("PING") == b"PONG"
    redis_server.freeze()
    calls = [asyncio.create_task(batcher.call("PING")) for _ in range(500)]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    redis_server.thaw()
    assert await asyncio.gather(*(batcher.call("ECHO", str(n)) for n in range(100))) == [
        b"%d" % n for n in range(100)
    ]
    await batcher.close()


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
