"""The drivers do what they measure, on real servers.

A driver that loses a message, gets a wrong answer or does not end fails its process, and so the test.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.benchmark import Benchmark, Place, Sampling, Size
from tests.benchmarks.broker import Broker
from tests.benchmarks.calls import Ask, Streams
from tests.benchmarks.one_way import Both, Drain, Limits, Publish
from tests.benchmarks.report import METRICS
from tests.benchmarks.scale import Crowd, Embedded, Hot, Memory, Processes
from tests.benchmarks.variants import AT_LEAST_ONCE, BARE, EFFECTIVELY_ONCE, LIMITS, OURS, PEERS, is_present

SIZE = Size(messages=40, asks=10, chunks=40, crowd=40, actors=4, in_flight=10, prefetch=20)


async def sampled(kind: type[Benchmark], variant: str, amqp_url: str, redis_url: str) -> set[str]:
    """Take a sample of *variant*; return the metrics it has."""
    async with Broker(amqp_url) as broker:
        benchmark = kind(SIZE, Place(broker, amqp_url, redis_url))
        await benchmark.prepare()
        facts = await benchmark.measure(variant, Sampling())
    assert min(facts.values()) > 0 or kind is Memory  # so few may find room that was there
    return facts.keys() & METRICS.keys()


@pytest.mark.parametrize(
    ("kind", "variant", "metrics"),
    [
        (Both, EFFECTIVELY_ONCE, {"rate", "cpu_us"}),
        (Streams, OURS, {"p50_ms", "p99_ms", "cpu_us", "chunks", "chunks_together"}),
        (Memory, EFFECTIVELY_ONCE, {"bytes"}),
        (Embedded, AT_LEAST_ONCE, {"rate", "p50_ms", "p99_ms", "cpu_us", "together"}),
    ],
)
async def test_a_driver_measures(
    amqp_url: str, redis_url: str, kind: type[Benchmark], variant: str, metrics: set[str]
) -> None:
    assert await sampled(kind, variant, amqp_url, redis_url) == metrics


@pytest.mark.verify
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "variant", "metrics"),
    [
        (Limits, LIMITS[0], {"rate", "cpu_us"}),
        (Limits, LIMITS[1], {"rate", "cpu_us"}),
        (Limits, LIMITS[2], {"rate", "cpu_us"}),
        (Crowd, EFFECTIVELY_ONCE, {"activated", "woken", "rate"}),
        (Hot, f"{EFFECTIVELY_ONCE}, one actor", {"rate", "cpu_us"}),
        (Ask, BARE, {"p50_ms", "p99_ms", "cpu_us", "together"}),
        (Processes, "two processes", {"rate", "share"}),
        (Processes, "aio-pika, two processes", {"rate", "share"}),
    ],
)
async def test_a_driver_with_more_processes_measures(
    amqp_url: str, redis_url: str, kind: type[Benchmark], variant: str, metrics: set[str]
) -> None:
    assert await sampled(kind, variant, amqp_url, redis_url) == metrics


@pytest.mark.benchmark
@pytest.mark.timeout(300)
@pytest.mark.parametrize("variant", PEERS)
async def test_a_peer_that_is_installed_measures(amqp_url: str, redis_url: str, variant: str) -> None:
    assert is_present(variant), "pip install 'broker-actors[bench]'"
    for kind in (Publish, Drain, Both, Ask):
        assert await sampled(kind, variant, amqp_url, redis_url) & {"rate", "p50_ms"}
