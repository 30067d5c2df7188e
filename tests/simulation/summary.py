"""What many seeds came to, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.faults import POINTS, POSSIBLE
from tests.simulation.run import Result


@dataclass(slots=True)
class Summary:
    """Sums over seeds.

    Attributes:
        seeds: by scenario.
        steps: by scenario.
        crashes: by place.
        fates: of calls, by call and kind.
        troubles: of nodes and connections, by kind.
        commits: that were made.
        fenced: that were refused.
        failed: seeds that found something, with what.

    """

    seeds: Counter[str] = field(default_factory=Counter[str])
    steps: Counter[str] = field(default_factory=Counter[str])
    crashes: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    fates: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    troubles: Counter[str] = field(default_factory=Counter[str])
    commits: int = 0
    fenced: int = 0
    failed: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])

    def add(self, result: Result) -> None:
        """Count *result*."""
        self.seeds[result.scenario] += 1
        self.steps[result.scenario] += result.steps
        self.crashes += result.crashes
        self.fates += result.fates
        self.troubles += result.troubles
        self.commits += result.commits
        self.fenced += result.fenced
        if result.problems:
            self.failed[result.seed] = result.problems

    @property
    def never_crashed_at(self) -> list[tuple[str, str]]:
        """Crash points nobody crashed at."""
        return [point for point in POINTS if not self.crashes[point]]

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield a report of what took *seconds*."""
        count, steps = self.seeds.total(), self.steps.total()
        speed = f"{count / seconds:.1f} a second, {steps / count:.0f} steps each"
        yield f"{count} seeds in {seconds:.0f} s: {speed}"
        yield f"{self.commits} commits, {self.fenced} fenced; " + _counted(self.troubles.items())
        yield ""
        for scenario, seeds in sorted(self.seeds.items()):
            yield f"  {scenario:<24} {seeds:7} seeds {self.steps[scenario] / seeds:7.0f} steps each"
        yield ""
        yield f"  {'crashes and faults at':<24} {'before':>8} {'after':>8}  faults"
        for call in POSSIBLE:
            before, after = self.crashes[call, "before"], self.crashes[call, "after"]
            fates = ((fate, n) for (at, fate), n in sorted(self.fates.items()) if at == call)
            yield f"  {call:<24} {before:8} {after:8}  {_counted(fates)}".rstrip()
        yield ""
        for seed, problems in sorted(self.failed.items()):
            yield f"seed {seed} FAILED: {'; '.join(problems)}"
        yield f"{len(self.failed)} failed" + (": python -m tests.simulation --seed N" if self.failed else "")


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{what} {n}" for what, n in counts)
