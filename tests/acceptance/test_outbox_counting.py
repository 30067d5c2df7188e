"""Commits that add nothing to the outbox, and whether they count what is in it."""

from __future__ import annotations

import pytest

from broker_actors import Ref, actor, method
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address
from broker_actors.core.protocol import Committed
from broker_actors.core.turn import Fenced
from broker_actors.ports.commit import Commit
from tests.acceptance.conftest import Deployment


@actor
class Tally:
    """Counts."""

    total: int = 0

    @method
    def add(self, more: int) -> int:
        """Add *more*; return the total."""
        self.total += more
        return self.total


class TallyRef(Tally, Ref):
    """Handle on `Tally`."""


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[Commit]:
    """Return what is committed from now on."""
    seen: list[Commit] = []
    in_memory, on_redis = MemoryStore.commit, RedisStore.commit

    async def noting_in_memory(store: MemoryStore, commit: Commit) -> Committed | Fenced:
        seen.append(commit)
        return await in_memory(store, commit)

    async def noting_on_redis(store: RedisStore, commit: Commit) -> Committed | Fenced:
        seen.append(commit)
        return await on_redis(store, commit)

    monkeypatch.setattr(MemoryStore, "commit", noting_in_memory)
    monkeypatch.setattr(RedisStore, "commit", noting_on_redis)
    return seen


async def test_an_empty_outbox_is_not_counted(deployment: Deployment, commits: list[Commit]) -> None:
    system = await deployment.system()
    async with deployment.worker(Tally):
        assert [await system.ref(TallyRef, "t1").add(1) for _ in range(2)] == [1, 2]
    assert [commit.counts for commit in commits] == [False, False]


async def test_an_outbox_with_an_item_that_nobody_here_can_read_is_counted(
    deployment: Deployment, commits: list[Commit]
) -> None:
    system = await deployment.system()
    store = (await deployment.backend()).store
    claim = await store.claim(Address("Tally", "t1"), "another release")
    await store.commit(Commit(claim, "turn", outbox=[b"in a later format"]))
    commits.clear()
    async with deployment.worker(Tally):
        assert await system.ref(TallyRef, "t1").add(1) == 1
    assert [commit.counts for commit in commits] == [True]
