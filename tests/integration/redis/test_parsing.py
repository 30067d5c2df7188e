"""The answers to a batch are the same, whoever reads them."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from broker_actors.adapters.redis import parsing
from broker_actors.adapters.redis.connection import Link, LinkLostError, pack
from broker_actors.adapters.redis.settings import RedisSettings
from tests.conformance.stores import Events
from tests.integration.redis.proxy import proxy_to

#: More than is read from the socket at a time.
MUCH = b"x" * 200_000
SECONDS = 10.0


@pytest.fixture(params=[True, False], ids=["in one go", "one by one"], autouse=True)
def _known(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether redis-py is taken for the release that is known."""
    monkeypatch.setattr(parsing, "is_known", lambda: request.param)


async def test_answers_of_every_kind_come_in_order(redis_url: str) -> None:
    link = Link(RedisSettings(redis_url), Events(), "test")
    await link.open()
    nested = pack("EVAL", "return {1, {2, {'three', false}}, {err='INNER no'}}", 0)
    batch = [pack("PING"), pack("ECHO", MUCH), pack("GET"), pack("EXISTS", "no"), pack("GET", "no"), nested]
    pong, much, refused, count, nothing, deep = (await link.exchange(batch * 2, SECONDS))[6:]
    assert (pong, much, count, nothing) == (b"PONG", MUCH, 0, None)
    assert isinstance(refused, ResponseError)
    assert isinstance(deep, list)
    assert deep[:2] == [1, [2, [b"three", None]]]
    assert isinstance(deep[2], ResponseError)
    assert await link.exchange([pack("ECHO", "next")], SECONDS) == [b"next"]
    await link.close()


async def test_a_connection_that_ends_before_its_answers_is_lost(redis_url: str) -> None:
    async with proxy_to(redis_url) as (proxy, url):
        link = Link(RedisSettings(url), Events(), "test")
        await link.open()
        proxy.pipes[-1].cut_at_answer()
        with pytest.raises(LinkLostError):
            await link.exchange([pack("ECHO", "one"), pack("ECHO", "two")], SECONDS)
        assert await link.open() is True
        assert await link.exchange([pack("ECHO", "three")], SECONDS) == [b"three"]
        await link.close()
