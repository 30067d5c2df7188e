"""What a run found, as data: samples and targets, to and from JSON.

Invariant: only samples are kept. Figures and verdicts follow from them whenever they are shown, so
that a table can be written again from a file, and can say nothing else than it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from tests.benchmarks.figures import Figure, Target, Verdict, figure, judge

#: What may differ between two runs whose results are shown together.
_OF_THE_MOMENT: Final = frozenset({"load at the start"})


@dataclass(slots=True)
class Result:
    """The samples of one benchmark.

    Attributes:
        key: of the benchmark.
        name: its title.
        targets: what its variants are held to.
        samples: by variant and metric, in the order of the rounds.
        loads: how busy the machine was when each round began.

    """

    key: str
    name: str
    targets: list[Target]
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def add(self, variant: str, facts: Mapping[str, float]) -> None:
        """Add one sample of each metric."""
        metrics = self.samples.setdefault(variant, {})
        for name, value in facts.items():
            metrics.setdefault(name, []).append(value)

    def figures(self, metric: str) -> dict[str, Figure]:
        """Return the figure of each variant that has *metric*."""
        return {name: figure(found[metric]) for name, found in self.samples.items() if metric in found}

    def verdicts(self) -> list[Verdict]:
        """Return what the samples say about the targets."""
        return [
            judge(target, {name: found[target.metric] for name, found in self.samples.items()})
            for target in self.targets
        ]


@dataclass(slots=True)
class Run:
    """Everything one run found.

    Attributes:
        machine: versions of everything that took part, and the machine.
        size: how much was measured.
        results: of each benchmark.

    """

    machine: dict[str, str]
    size: dict[str, str]
    results: list[Result] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write *file*: the samples, and beside them the figures for who reads it."""
        shown = [
            {
                **asdict(result),
                "figures": {
                    metric: {name: _spread(found) for name, found in result.figures(metric).items()}
                    for metric in sorted({name for found in result.samples.values() for name in found})
                },
                "verdicts": [f"{verdict}: {verdict.word}" for verdict in result.verdicts()],
            }
            for result in self.results
        ]
        text = json.dumps({"machine": self.machine, "size": self.size, "results": shown}, indent=1)
        file.write_text(text + "\n", encoding="utf-8")


def load(files: Iterable[Path]) -> Run:
    """Return the run in *files*: parts of one, of which a later one replaces what it has anew.

    Raises:
        ValueError: they were measured with something else or elsewhere.

    """
    runs = [_RUN.validate_json(file.read_bytes()) for file in files]
    first, *_, last = [runs[0], *runs]
    if any(_lasting(run) != _lasting(first) for run in runs):
        raise ValueError("these are not parts of one run: versions, machine or size differ")
    results = {result.key: result for run in runs for result in run.results}
    return Run(first.machine | last.machine, first.size, list(results.values()))


def _spread(found: Figure) -> dict[str, float]:
    return {"median": found.median, "low": found.low, "high": found.high}


def _lasting(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    return {name: value for name, value in run.machine.items() if name not in _OF_THE_MOMENT}, run.size


_RUN: Final = TypeAdapter(Run)
