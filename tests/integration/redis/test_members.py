"""Leases on a real Redis: kept for a busy loop, ended for a dead one, through outages."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import quote

import pytest
import redis as blocking
from redis.asyncio import Redis

from broker_actors.adapters.redis.keeper import (
    FAREWELL_SECONDS,
    RENEWALS_WITHIN_LEASE,
    THREAD,
    LeaseKeeper,
    Patience,
)
from broker_actors.adapters.redis.members import RedisMembers
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.errors import ConfigurationError, StoreUnavailableError
from broker_actors.core.events import Trouble
from broker_actors.core.member import LEASE_SECONDS, Member, Report
from tests.conformance.members import NOTHING, worker
from tests.conformance.stores import HANG_SECONDS, Events
from tests.integration.redis.proxy import proxy_to
from tests.servers import RedisServer

LEASES = "ba:{members}:leases"
#: Short, so that a test sees leases renewed and ended; long enough for a machine that stalls.
SHORT_SECONDS = 1.5


class Store:
    """Redis as a blocking client sees it: whoever asks holds up the event loop."""

    def __init__(self, url: str) -> None:
        self.redis = blocking.Redis.from_url(url)
        self.redis.config_resetstat()

    def lease_of(self, name: str) -> float | None:
        """Return how many seconds the lease of *name* has left; None if it has none."""
        until_ms = self.redis.zscore(LEASES, name)
        seconds, microseconds = self.redis.time()
        return None if until_ms is None else until_ms / 1000 - seconds - microseconds / 1_000_000

    def renewals(self) -> int:
        """Return how often a thread tried to renew since this was made."""
        return int(self.redis.info("commandstats").get("cmdstat_eval", {}).get("calls", 0))

    def block_until(self, reached: Callable[[], bool]) -> None:
        """Block the event loop until *reached*."""
        until_seconds = time.monotonic() + HANG_SECONDS
        while not reached():
            assert time.monotonic() < until_seconds
            time.sleep(0.01)  # noqa: TID251 - blocking the loop is the point


@contextmanager
def looking_at(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.redis.close()


def lease_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


async def until(reached: Callable[[], bool]) -> None:
    """Return when *reached*; the loop goes on."""
    async with asyncio.timeout(HANG_SECONDS):
        while not reached():  # noqa: ASYNC110 - threads and servers tell nobody
            await asyncio.sleep(0.01)


async def names_seen_by(members: RedisMembers, name: str) -> list[str]:
    return [member.name for member in await members.beat(worker(name), NOTHING)]


async def test_a_lease_lasts_as_long_as_the_port_says(redis_url: str) -> None:
    members = await RedisMembers.connect(redis_url, Events())
    await members.beat(worker("a"), NOTHING)
    with looking_at(redis_url) as store:
        left_seconds = store.lease_of("a")
    assert left_seconds is not None
    assert LEASE_SECONDS / 2 < left_seconds <= LEASE_SECONDS
    await members.close()


async def test_a_lease_outlives_a_loop_that_is_busy(redis_url: str) -> None:
    members = await RedisMembers.connect(redis_url, Events(), lease_seconds=SHORT_SECONDS)
    other = await RedisMembers.connect(redis_url, Events())
    await members.beat(worker("a"), NOTHING)
    with looking_at(redis_url) as store:
        began = time.monotonic()
        store.block_until(lambda: time.monotonic() > began + 1.3 * SHORT_SECONDS)
        assert store.renewals() >= 2
    assert await names_seen_by(other, "b") == ["a", "b"]
    await members.close()
    await other.close()


async def test_a_loop_that_beats_needs_no_thread_to_renew(redis_url: str) -> None:
    members = await RedisMembers.connect(redis_url, Events(), lease_seconds=SHORT_SECONDS)
    with looking_at(redis_url) as store:
        until_seconds = time.monotonic() + HANG_SECONDS
        renewals = -1
        # As long as a thread would have waited, and again if the machine stalled for so long.
        while renewals != store.renewals():
            assert time.monotonic() < until_seconds
            renewals, began = store.renewals(), time.monotonic()
            while time.monotonic() < began + 1.2 * SHORT_SECONDS / RENEWALS_WITHIN_LEASE:
                await members.beat(worker("a"), NOTHING)
    await members.close()


async def test_a_loop_that_hangs_loses_its_lease_and_gets_it_back(redis_url: str) -> None:
    members = await RedisMembers.connect(
        redis_url, Events(), lease_seconds=SHORT_SECONDS, max_loop_block_seconds=SHORT_SECONDS / 2
    )
    other = await RedisMembers.connect(redis_url, Events())
    await members.beat(worker("a"), NOTHING)
    with looking_at(redis_url) as store:
        store.block_until(lambda: (store.lease_of("a") or 0) < 0)
        assert store.renewals() >= 1
        assert await names_seen_by(other, "b") == ["b"]
        assert await names_seen_by(members, "a") == ["a", "b"]
        # The thread serves it again, too.
        before = store.renewals()
        store.block_until(lambda: store.renewals() > before)
        assert (store.lease_of("a") or 0) > 0
    await members.close()
    await other.close()


async def test_the_thread_never_makes_a_lease(redis_url: str) -> None:
    members = await RedisMembers.connect(redis_url, Events(), lease_seconds=SHORT_SECONDS)
    await members.beat(worker("a"), NOTHING)
    with looking_at(redis_url) as store:
        store.redis.zrem(LEASES, "a")
        store.block_until(lambda: store.renewals() >= 2)
        assert store.lease_of("a") is None
    await members.close()


@pytest.mark.parametrize("end", ["leave", "close"])
async def test_the_thread_ends_with_its_last_lease(redis_url: str, end: str) -> None:
    members = await RedisMembers.connect(redis_url, Events())
    await members.beat(worker("a"), NOTHING)
    await members.beat(worker("b"), NOTHING)
    (thread,) = lease_threads()
    assert thread.daemon
    if end == "leave":
        await members.leave("a")
        assert thread.is_alive()
        await members.leave("b")
    else:
        await members.close()
        await members.close()
    await until(lambda: not thread.is_alive())
    await members.close()


async def test_a_loop_that_ended_without_closing_ends_the_thread(redis_url: str) -> None:
    keeper = LeaseKeeper(RedisSettings(redis_url), Events(), Patience(SHORT_SECONDS, HANG_SECONDS))

    async def beat_and_forget() -> threading.Thread:
        keeper.beating("a")
        return next(iter(lease_threads()))

    thread = await asyncio.to_thread(lambda: asyncio.run(beat_and_forget()))
    await until(lambda: not thread.is_alive())


async def test_the_thread_is_let_in_like_the_loop(redis_server: RedisServer) -> None:
    password = "p:@/%? ä"  # noqa: S105 - of a server that lives for this test
    url = redis_server.url.replace("redis://", f"redis://:{quote(password, safe='')}@")
    with looking_at(redis_server.url) as store:
        store.redis.config_set("requirepass", password)
        members = await RedisMembers.connect(url, Events(), lease_seconds=SHORT_SECONDS)
        await members.beat(worker("a"), NOTHING)
        store.block_until(lambda: store.renewals() >= 1)
        names = [client["name"] for client in store.redis.client_list()]
        assert {"broker-actors-members", "broker-actors-lease"} <= set(names)
        await members.close()


async def names_seen_again(members: RedisMembers, name: str) -> list[str]:
    """Return who is seen once it answers: it may wait between two tries for longer than a call does."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            with suppress(StoreUnavailableError):
                return await names_seen_by(members, name)


async def test_a_server_that_is_gone_is_told_once_and_served_again_when_back(
    redis_server: RedisServer,
) -> None:
    events = Events()
    members = await RedisMembers.connect(
        redis_server.url, events, timeout_seconds=0.6, lease_seconds=SHORT_SECONDS
    )
    other = await RedisMembers.connect(redis_server.url, Events(), timeout_seconds=HANG_SECONDS)
    await members.beat(worker("a"), NOTHING)
    await asyncio.to_thread(redis_server.kill)
    started = asyncio.get_running_loop().time()
    for call in (members.beat(worker("a"), NOTHING), members.everyone(), members.hold("q1", "a")):
        with pytest.raises(StoreUnavailableError, match=r"no answer .* within 0\.6 s"):
            await call
    assert asyncio.get_running_loop().time() - started < HANG_SECONDS / 2

    def troubles() -> list[Trouble]:
        return [one for one in events.seen if isinstance(one, Trouble) and "lease" in one.where]

    await until(lambda: bool(troubles()))
    await asyncio.to_thread(redis_server.restart)
    await names_seen_by(other, "b")
    with looking_at(redis_server.url) as store:
        store.block_until(lambda: store.renewals() >= 1)
    assert await names_seen_again(members, "a") == ["a", "b"]
    assert await names_seen_by(other, "b") == ["a", "b"]
    assert len(troubles()) == 1
    await members.close()
    await other.close()


async def test_an_emptied_server_knows_everybody_after_one_beat_of_each(redis_url: str) -> None:
    one = await RedisMembers.connect(redis_url, Events())
    other = await RedisMembers.connect(redis_url, Events())
    assert [await names_seen_by(one, "a"), await names_seen_by(other, "b")] == [["a"], ["a", "b"]]
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    assert [await names_seen_by(one, "a"), await names_seen_by(other, "b")] == [["a"], ["a", "b"]]
    assert await names_seen_by(one, "a") == ["a", "b"]
    await one.close()
    await other.close()


async def test_a_frozen_server_does_not_hold_up_the_end(redis_server: RedisServer) -> None:
    members = await RedisMembers.connect(
        redis_server.url, Events(), timeout_seconds=0.6, lease_seconds=SHORT_SECONDS
    )
    await members.beat(worker("a"), NOTHING)
    redis_server.freeze()
    with pytest.raises(StoreUnavailableError):
        await members.leave("a")
    started = asyncio.get_running_loop().time()
    await members.close()
    assert asyncio.get_running_loop().time() - started < FAREWELL_SECONDS + 5
    redis_server.thaw()


async def test_a_full_server_still_keeps_leases(redis_server: RedisServer) -> None:
    one = await RedisMembers.connect(redis_server.url, Events(), lease_seconds=SHORT_SECONDS)
    other = await RedisMembers.connect(redis_server.url, Events())
    with looking_at(redis_server.url) as store:
        store.redis.config_set("maxmemory", 1)
        await one.beat(worker("a"), NOTHING)
        store.block_until(lambda: store.renewals() >= 1)
        assert await names_seen_by(other, "b") == ["a", "b"]
        assert await one.hold("q1", "a")
        await one.release("q1", "a")
        assert await other.hold("q1", "b")
        await one.leave("a")
        assert await names_seen_by(other, "b") == ["b"]
    await one.close()
    await other.close()


async def test_a_record_nobody_can_read_hides_no_other(redis_url: str) -> None:
    members = await RedisMembers.connect(redis_url, Events())
    later = await RedisMembers.connect(redis_url, Events())
    await members.beat(worker("a"), NOTHING)
    await later.beat(worker("from the future"), NOTHING)
    async with Redis.from_url(redis_url) as redis:
        await redis.hset("ba:{members}:records", "from the future", b"\xc1")
        await redis.hset("ba:{members}:reports", "a", b"\xc1")
    fresh = await RedisMembers.connect(redis_url, Events())
    assert await names_seen_by(fresh, "b") == ["a", "b"]
    assert list(await fresh.everyone()) == [(worker("a"), Report()), (worker("b"), NOTHING)]
    for one in (members, later, fresh):
        await one.close()


async def test_a_beat_without_news_is_a_few_bytes(redis_url: str) -> None:
    crowd = [replace(worker(f"w{n}"), consuming=frozenset(f"q{m}" for m in range(100))) for n in range(20)]
    async with proxy_to(redis_url) as (proxy, proxied):
        others = await RedisMembers.connect(redis_url, Events())
        for member in crowd:
            await others.beat(member, NOTHING)
        members = await RedisMembers.connect(proxied, Events())
        me = Member("me", frozenset({"Counter"}), frozenset(f"q{m}" for m in range(10_000)))
        assert list(await members.beat(me, NOTHING)) == sorted([*crowd, me], key=lambda one: one.name)
        asked, answered = proxy.pipes[-1].copies()
        assert len(await members.beat(me, NOTHING)) == 21
        assert 0 < len(asked) < 600
        assert 0 < len(answered) < 60
        await members.close()
        await others.close()


async def test_a_hold_asked_again_does_not_hide_who_held_before(redis_url: str) -> None:
    async with proxy_to(redis_url) as (proxy, proxied):
        members = await RedisMembers.connect(proxied, Events())
        await members.hold("q1", "the one that died")
        proxy.pipes[-1].cut_at_answer()
        assert not await members.hold("q1", "a")
        assert len(proxy.pipes) == 2
        assert await members.hold("q1", "a")
        await members.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://127.0.0.1?nonsense=1"])
async def test_a_url_that_cannot_work_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        await RedisMembers.connect(url, Events())
