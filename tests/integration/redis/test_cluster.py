"""Every script stays in one slot: a server in cluster mode, which refuses anything else, runs them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import pytest
import redis

from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.reply import Reply
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Duplicate
from broker_actors.ports.store import Commit
from tests.conformance.stores import Events, Inbox, actor, record_of
from tests.servers import RedisServer
from tests.servers.polling import until

SLOTS = 16_384
#: Through a script, because the driver turns the answer of the command itself into something untyped.
STATE = "return redis.call('CLUSTER', 'INFO')"


class ClusterServer(RedisServer):
    """One server that owns all slots."""

    def _command(self) -> Sequence[str]:
        config = f"nodes-{self.port}-{secrets.token_hex(4)}.conf"
        return [*super()._command(), "--cluster-enabled", "yes", "--cluster-config-file", config]

    def own_all_slots(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1)
            until(lambda: "cluster_state:ok" in str(client.eval(STATE, 0)), "forming a cluster", 10)


@pytest.fixture
def cluster_url() -> Iterator[str]:
    with ClusterServer() as server:
        server.own_all_slots()
        yield server.url


async def test_the_store_works_on_a_cluster(cluster_url: str) -> None:
    store = await RedisStore.connect(cluster_url, Events())
    assert await store.layout(Layout("Counter")) == Layout("Counter")
    assert await store.types() == ["Counter"]
    for n in range(50):
        who = actor(f"{{c}}:{n}")
        claim = await store.claim(who, "mine")
        turn = Commit(claim, "turn", b"state", record_of("{k}"), (b"item",))
        assert await store.commit(turn) == Committed()
        assert isinstance(await store.look_up(who, "{k}", b"digest"), Duplicate)
        await store.spawn(who)
    assert len(await store.undispatched("Counter", older_than_seconds=0)) == 50
    for n in range(50):
        who = actor(f"{{c}}:{n}")
        await store.dispatched(who, list(await store.outbox(who)))
    assert await store.undispatched("Counter", older_than_seconds=0) == []
    assert len(await store.spawned("Counter")) == 50
    await store.close()


async def test_replies_work_on_a_cluster(cluster_url: str) -> None:
    replies, inbox = RedisReplies(RedisSettings(cluster_url), Events()), Inbox()
    await replies.open("client {1}", inbox.on_reply, inbox.on_loss)
    assert await replies.send("client {1}", "1", Reply(b"body")) is True
    await inbox.wait_for(replies=1)
    await replies.close()
