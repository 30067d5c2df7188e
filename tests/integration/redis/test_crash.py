"""Redis dies under load: what was answered is there, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.turn import Committed
from broker_actors.ports.commit import Commit
from tests.conformance.stores import Events, actor, record_of
from tests.servers import RedisServer

WRITERS = 16
KILLS = 8
#: Commits between two kills.
COMMITS = 300


class Writer:
    """One actor that commits as fast as it can and remembers what it was told."""

    def __init__(self, store: RedisStore, name: str) -> None:
        self.store = store
        self.actor = actor(name)
        self.committed = 0

    async def write(self, stop: asyncio.Event) -> None:
        claim = await self.store.claim(self.actor, "mine")
        while not stop.is_set():
            n = self.committed
            turn = Commit(
                replace(claim, version=n), f"turn {n}", b"%d" % n, record_of(f"key {n}"), (b"item %d" % n,)
            )
            outcome = await self.store.commit(turn)
            # Nobody else claims: a fenced commit would mean that one was lost, or applied twice.
            assert outcome == Committed()
            self.committed += 1


async def test_every_answered_commit_survives_a_kill_and_none_happens_twice(
    redis_server: RedisServer,
) -> None:
    store = await RedisStore.connect(redis_server.url, Events(), timeout_seconds=20)
    writers = [Writer(store, f"c{n}") for n in range(WRITERS)]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.write(stop))
        for _ in range(KILLS):
            await _progress(writers)
            await asyncio.to_thread(redis_server.kill)
            await asyncio.to_thread(redis_server.restart)
        await _progress(writers)
        stop.set()
    for writer in writers:
        after = await store.claim(writer.actor, "checker")
        assert (after.version, after.state) == (writer.committed, b"%d" % (writer.committed - 1))
        expected = [(n + 1, b"item %d" % n) for n in range(writer.committed)]
        assert [(key.version, item) for key, item in after.outbox.items()] == expected
    await store.close()


async def _progress(writers: list[Writer]) -> None:
    """Return after some more commits."""
    goal = sum(writer.committed for writer in writers) + COMMITS
    while sum(writer.committed for writer in writers) < goal:  # noqa: ASYNC110 - sixteen writers, one number
        await asyncio.sleep(0.005)
