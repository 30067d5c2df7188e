"""Which hosts a URL names, and which node of a cluster has a key, as far as nodes have said."""

from __future__ import annotations

import pytest
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.slots import Slots, is_again, place_in
from broker_actors.core.errors import StoreUnavailableError

HERE = ("10.0.0.1", 7000)
#: Of the example in the specification of Redis Cluster.
KEY, SLOT = "123456789", 12_739


@pytest.mark.parametrize(
    ("url", "first", "seeds"),
    [
        ("redis://one:7000,two:7001/0?a=b", "redis://one:7000/0?a=b", (("one", 7000), ("two", 7001))),
        ("rediss://me:p,w@one,two:7001", "rediss://me:p,w@one", (("one", 6379), ("two", 7001))),
        ("redis://[::1]:7000,[::2]:7001/", "redis://[::1]:7000/", (("::1", 7000), ("::2", 7001))),
        ("redis://me:p,w@one:7000/0", "redis://me:p,w@one:7000/0", ()),
        ("redis://one", "redis://one", ()),
        ("unix:///run/a,b.sock", "unix:///run/a,b.sock", ()),
        ("nonsense", "nonsense", ()),
    ],
)
def test_the_hosts_of_a_url(url: str, first: str, seeds: tuple[tuple[str, int], ...]) -> None:
    settings = RedisSettings(url)
    assert (settings.first_url, settings.seeds) == (first, seeds)


def test_nothing_is_known_of_a_server_that_is_alone() -> None:
    slots = Slots()
    assert not slots
    assert slots.of(KEY) is None


def test_a_node_says_where_a_slot_has_moved_to() -> None:
    slots = Slots()
    slots.moved(MovedError(f"{SLOT} 10.0.0.2:7001"), HERE)
    assert slots.of(KEY) == ("10.0.0.2", 7001)
    assert slots.of(f"tag {{{KEY}}}") == ("10.0.0.2", 7001)
    assert slots.of("other") is None
    assert list(slots.places) == [("10.0.0.2", 7001)]


def test_a_node_that_knows_no_name_of_another_means_its_own_host() -> None:
    assert place_in(AskError(f"{SLOT} :7001"), HERE) == ("10.0.0.1", 7001)


def test_what_a_node_says_of_all_slots_replaces_what_was_known() -> None:
    slots = Slots()
    slots.moved(MovedError("0 10.0.0.9:7009"), HERE)
    slots.replace(
        [
            [0, 8191, [b"10.0.0.1", 7000, b"id", []], [b"10.0.0.5", 7005, b"id", []]],
            [8192, 16383, [None, 7001]],
        ],
        HERE,
    )
    assert slots.of(KEY) == ("10.0.0.1", 7001)
    assert sorted(slots.places) == [("10.0.0.1", 7000), ("10.0.0.1", 7001)]


def test_anything_else_is_refused() -> None:
    with pytest.raises(StoreUnavailableError):
        Slots().replace(b"no", HERE)


@pytest.mark.parametrize(
    "answer", [MovedError("1 h:1"), AskError("1 h:1"), TryAgainError("x"), ClusterDownError("x")]
)
def test_what_another_node_or_moment_may_answer_is_asked_again(answer: ResponseError) -> None:
    assert is_again(answer)


@pytest.mark.parametrize("answer", [None, b"MOVED", 1, [], ResponseError("WRONGTYPE")])
def test_what_is_an_answer_is_not_asked_again(answer: object) -> None:
    assert not is_again(answer)  # type: ignore[arg-type] # one of each kind
