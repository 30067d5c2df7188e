"""The command: start servers, take turns, report; or write the documentation from a report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from tests.benchmarks import machine, pages, report, runner
from tests.benchmarks.benchmark import Benchmark, Place, Size
from tests.benchmarks.broker import Broker
from tests.benchmarks.one_way import Drain
from tests.benchmarks.options import BENCHMARKS, Options, parse
from tests.benchmarks.results import Run
from tests.benchmarks.variants import PEERS, is_present
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
    if sys.argv[1:2] == ["charts"]:
        return pages.main(sys.argv[2:])
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
        run = Run(await machine.facts(urls.redis, broker.versions), _plain(options.size))
        if machine.load() > BUSY:
            _progress("the machine is busy with something else: these figures will mean little")
        for name, value in run.machine.items():
            _progress(f"{name}: {value}")
        if missing := [name for name in PEERS if not is_present(name)]:
            _progress(f"not installed: {', '.join(missing)}. pip install 'broker-actors[bench]'")
        benchmarks = list(_benchmarks(options, Place(broker, urls.amqp, urls.redis)))
        if options.profile is not None:
            await runner.profile(benchmarks, options.profile, _progress)
            return 0
        for benchmark in benchmarks:
            run.results.append(await runner.take(benchmark, options.size.rounds, _progress))
            if options.json is not None:
                # After each one: what a long run has found is not lost with it.
                run.save(options.json)
    print(report.terminal(run))
    missed = any(not verdict.met for result in run.results for verdict in result.verdicts())
    return 1 if missed and options.check else 0


def _benchmarks(options: Options, place: Place) -> Iterator[Benchmark]:
    for name in options.only:
        kind = BENCHMARKS[name]
        if kind is Drain:
            yield from (Drain(options.size, place, partitions) for partitions in options.size.partitions)
        else:
            yield kind(options.size, place)


def _plain(size: Size) -> dict[str, str]:
    return {name.replace("_", " "): str(value) for name, value in asdict(size).items()}


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
