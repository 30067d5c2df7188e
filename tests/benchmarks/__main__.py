"""The command: start servers, take turns, report."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks import machine, report, runner
from tests.benchmarks.against_peers import PeersDrain, PeersPublish
from tests.benchmarks.benchmark import Ask, Benchmark, Drain, Publish
from tests.benchmarks.broker import Broker
from tests.benchmarks.charts import chart
from tests.benchmarks.options import Options, parse
from tests.servers import RabbitServer, RedisServer

#: Processes that want to run before we start any, as an average of the last minute.
BUSY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers are."""

    amqp: str
    redis: str


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    options = parse()
    if options.profile is not None:
        options.profile.mkdir(parents=True, exist_ok=True)
    with _servers(options) as urls:
        return asyncio.run(_run(options, urls))


@contextmanager
def _servers(options: Options) -> Iterator[Urls]:
    if options.amqp_url:
        yield Urls(options.amqp_url, options.redis_url)
        return
    _progress("starting private servers")
    with RabbitServer() as rabbit, RedisServer() as redis:
        yield Urls(rabbit.url, redis.url)


async def _run(options: Options, urls: Urls) -> int:
    async with Broker(urls.amqp) as broker:
        facts = await machine.facts(urls.redis, broker.versions)
        if machine.load() > BUSY:
            _progress("the machine is busy with something else: these figures will mean little")
        for name, value in facts.items():
            _progress(f"{name}: {value}")
        benchmarks = _benchmarks(options, broker, urls)
        if options.profile is not None:
            await runner.profile(benchmarks, options.profile, _progress)
            return 0
        outcomes = [await runner.take(benchmark, options.size.rounds, _progress) for benchmark in benchmarks]
    _write(options, outcomes, facts)
    missed = any(not verdict.met for outcome in outcomes for verdict in outcome.verdicts())
    return 1 if missed and options.check else 0


def _benchmarks(options: Options, broker: Broker, urls: Urls) -> list[Benchmark]:
    common = options.size, broker, urls.amqp, urls.redis
    made: dict[str, list[Benchmark]] = {
        "publish": [Publish(*common)],
        "drain": [Drain(*common, partitions) for partitions in options.size.partitions],
        "ask": [Ask(*common)],
        "peers-publish": [PeersPublish(*common)],
        "peers-drain": [PeersDrain(*common)],
    }
    return [benchmark for name in options.only for benchmark in made[name]]


def _write(options: Options, outcomes: list[runner.Outcome], facts: dict[str, str]) -> None:
    print(report.text(outcomes))
    if options.json is not None:
        options.json.write_text(report.as_json(outcomes, facts, options.size), encoding="utf-8")
    if options.charts is not None:
        for outcome in outcomes:
            _draw(options.charts, outcome)
    if options.markdown is not None:
        page = options.markdown.read_text(encoding="utf-8") if options.markdown.exists() else ""
        results = report.markdown(outcomes, facts, options.size)
        options.markdown.write_text(report.insert(page, results), encoding="utf-8")


def _draw(folder: Path, outcome: runner.Outcome) -> None:
    rates = {
        variant: figures["rate"]
        for variant in outcome.samples
        if "rate" in (figures := outcome.figures(variant))
    }
    if rates:
        name = re.sub("[^a-z0-9]+", "-", outcome.benchmark.name)
        folder.mkdir(parents=True, exist_ok=True)
        text = chart(f"{outcome.benchmark.name}: messages per second", rates)
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
