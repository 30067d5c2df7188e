"""The command line of the simulation."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.simulation.run import Result, run
from tests.simulation.summary import Summary


def main() -> None:
    """Do what the arguments say; exit with 1 if a seed found something."""
    arguments = _arguments()
    if arguments.seed is not None:
        result = run(arguments.seed, tells=True)
        end = result.problems or ("nothing wrong",)
        _say([*result.history, f"{result.scenario}, {result.steps} steps", *end])
        sys.exit(bool(result.problems))
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.digests:
        _say(f"{seed} {run(seed, tells=True).digest}" for seed in seeds)
        return
    sys.exit(bool(_many(seeds, arguments.jobs).failed))


def collect_seldom() -> None:
    """Look for garbage less often: a seed keeps all it makes to its end."""
    gc.set_threshold(100_000, 50, 100)


@contextmanager
def hurried_collection() -> Iterator[None]:
    """Collect seldom for a while."""
    before = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _many(seeds: range, jobs: int) -> Summary:
    began_seconds = time.monotonic()
    summary = Summary()
    # Fresh interpreters: what a parent has in memory must not be in its children.
    with multiprocessing.get_context("spawn").Pool(jobs, collect_seldom) as pool:
        for result in pool.imap_unordered(run, seeds, chunksize=20):
            summary.add(result)
            _say(_failure(result))
    _say(summary.lines(time.monotonic() - began_seconds))
    return summary


def _failure(result: Result) -> list[str]:
    if not result.problems:
        return []
    return [f"seed {result.seed} ({result.scenario}): {'; '.join(result.problems)}"]


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one and print its history")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    cores = os.cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=cores, help="processes; one a core by default")
    parser.add_argument("--digests", action="store_true", help="print digests of the histories")
    return parser.parse_args()
