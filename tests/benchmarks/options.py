"""The command line of the benchmarks, and which ones there are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.benchmark import Benchmark, Size
from tests.benchmarks.calls import Ask, Streams
from tests.benchmarks.one_way import Both, Drain, Limits, Publish
from tests.benchmarks.scale import Crowd, Embedded, Hot, Memory, Processes

#: By name, in the order in which they run.
BENCHMARKS: Final[Mapping[str, type[Benchmark]]] = {
    each.key: each
    for each in (Publish, Drain, Limits, Both, Ask, Streams, Hot, Crowd, Memory, Processes, Embedded)
}
DEFAULT: Final = Size()
#: Enough to see that everything works; the figures mean nothing.
QUICK: Final = Size(messages=1_000, asks=50, chunks=500, crowd=1_000, rounds=1)
_DESCRIPTION: Final = (
    "Measure; then `python -m tests.benchmarks charts FILE` writes the documentation's page."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What to run, and where to write it.

    Attributes:
        only: the benchmarks to run.
        size: how much.
        json: the file for all samples; None for none.
        profile: the folder for profiles, which are then all that is taken; None to measure.
        check: whether a missed target fails the command.
        amqp_url: a broker that already runs; empty for a private one.
        redis_url: a store that already runs; empty for a private one.

    """

    only: tuple[str, ...]
    size: Size
    json: Path | None
    profile: Path | None
    check: bool
    amqp_url: str
    redis_url: str


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options in *arguments*; those of the command line by default."""
    given = _parser().parse_args(arguments)
    if bool(given.amqp_url) != bool(given.redis_url):
        _parser().error("--amqp-url and --redis-url go together")
    size = QUICK if given.quick else DEFAULT
    sizes = {
        "rounds": given.rounds,
        "messages": given.messages,
        "asks": given.asks,
        "chunks": given.chunks,
        "crowd": given.crowd,
        "partitions": given.partitions,
    }
    return Options(
        only=given.only,
        size=replace(size, **{name: value for name, value in sizes.items() if value is not None}),
        json=given.json,
        profile=given.profile,
        check=given.check,
        amqp_url=given.amqp_url,
        redis_url=given.redis_url,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=_DESCRIPTION)
    add = parser.add_argument
    add(
        "--only",
        type=_benchmarks,
        default=tuple(BENCHMARKS),
        metavar=",".join(BENCHMARKS),
        help="which benchmarks, instead of all",
    )
    add("--quick", action="store_true", help="a smoke run: one short round, meaningless figures")
    add("--rounds", type=_positive, help=f"how often the variants take turns ({DEFAULT.rounds})")
    add("--messages", type=_positive, help=f"per sample of publish, drain, both and hot ({DEFAULT.messages})")
    add("--asks", type=_positive, help=f"per sample of ask ({DEFAULT.asks})")
    add("--chunks", type=_positive, help=f"per sample of streams ({DEFAULT.chunks})")
    add("--crowd", type=_positive, help=f"actors that are activated and kept in memory ({DEFAULT.crowd})")
    add("--partitions", type=_partitions, metavar="1,8", help="queue counts to drain")
    add("--json", type=Path, metavar="FILE", help="write every sample")
    add(
        "--profile",
        type=Path,
        metavar="FOLDER",
        help="measure nothing; profile the platform's side into text files",
    )
    add("--check", action="store_true", help="exit with 1 if a target is missed")
    add("--amqp-url", default="", help="measure a broker that runs; private servers are started by default")
    add("--redis-url", default="", help="measure a store that runs")
    return parser


def _benchmarks(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= BENCHMARKS.keys():
        raise argparse.ArgumentTypeError(f"benchmarks are {', '.join(BENCHMARKS)}")
    return names


def _partitions(text: str) -> tuple[int, ...]:
    # A type's partition count is part of its declaration, see actors.py.
    if not set(text.split(",")) <= {"1", "8"}:
        raise argparse.ArgumentTypeError("queue counts are 1 and 8")
    return tuple(map(int, text.split(",")))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a positive whole number")
    return int(text)
