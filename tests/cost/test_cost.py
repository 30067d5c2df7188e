"""A message costs what it did, and at most a tenth more."""

from __future__ import annotations

import struct

import pytest

from broker_actors.core.address import partition_of
from tests.cost import kept
from tests.cost.calls import Calls
from tests.cost.measures import embedded, on_servers
from tests.cost.wire import count


async def test_a_message_calls_no_more_functions_than_it_did() -> None:
    assert kept.wrong(await embedded(), kept.read()["embedded"]) == []


async def test_an_ask_needs_no_more_of_broker_and_store_than_it_did(amqp_url: str, redis_url: str) -> None:
    assert kept.wrong(await on_servers(amqp_url, redis_url), kept.read()["on servers"]) == []


def test_what_costs_a_little_more_passes_and_what_costs_more_does_not() -> None:
    assert kept.wrong({"tell": 109.0}, {"tell": 100.0}) == []
    assert len(kept.wrong({"tell": 111.0, "new": 1.0}, {"tell": 100.0, "gone": 1.0})) == 3


def test_only_what_the_package_calls_is_counted() -> None:
    with Calls() as calls:
        for _ in range(10):
            partition_of("c1", 8)
            len("not ours")
    # Itself, `encode` and `crc32`.
    assert calls.count == 30


def test_frames_are_counted_without_heartbeats() -> None:
    method = struct.pack(">BHI", 1, 1, 3) + b"abc\xce"
    heartbeat = struct.pack(">BHI", 8, 0, 0) + b"\xce"
    assert count(method + heartbeat + method) == 2
    with pytest.raises(ValueError, match="a frame was cut"):
        count(method[:-1])
