"""`python -m tests.soak --minutes n`: a soak on servers of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.checker.verdict import Minimum
from tests.soak.faults import OF_CLUSTERS, Kind
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.sites import site_of


def main() -> None:
    """Do what the arguments say; exit with 1 if anything was wrong."""
    given = _arguments()
    folder = Path(given.folder or tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    kinds = frozenset(given.only or Kind) - (OF_CLUSTERS if given.nodes == 1 else frozenset())
    plan = Plan(
        *(given.seed, given.minutes * 60, given.gap, given.workers, given.senders),
        lines=given.lines,
        pause_seconds=given.pause,
        kinds=kinds,
        minimum=_minimum(given, kinds),
    )
    with ExitStack() as stack:
        site = replace(site_of(stack, given.nodes), mutant=given.mutant, verbose=given.verbose)
        report = asyncio.run(soak(plan, site, folder, _say))
    (folder / "report.json").write_text(report.json())
    sys.stdout.write(f"{report.json() if given.json else report.text()}\n")
    sys.exit(bool(report.violations))


def _minimum(given: argparse.Namespace, kinds: Collection[Kind]) -> Minimum:
    """Return what must have happened: every kind of fault, and what only happens to those taken for dead."""
    seconds = given.minutes * 60
    if seconds < len(kinds) * given.gap * 2:
        return Minimum(tells=1)
    fenced = 1 if Kind.FREEZE_WORKER in kinds else 0
    return Minimum(tells=int(seconds), asks=int(seconds / 10), fenced=fenced, faults=dict.fromkeys(kinds, 1))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long senders call")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of calls and faults")
    parser.add_argument("--nodes", type=int, default=3, help="of the broker")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--lines", type=int, default=4, help="callers of each sender")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds of a caller between its bursts")
    parser.add_argument("--gap", type=float, default=2.5, help="seconds from one fault to the next")
    parser.add_argument("--only", type=Kind, action="append", help=f"kinds of faults: {', '.join(Kind)}")
    parser.add_argument("--mutant", default="", help="what every process is to be; see mutants.py")
    parser.add_argument("--folder", default="", help="for journals, logs and report.json")
    parser.add_argument("--verbose", action="store_true", help="have workers log everything")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
