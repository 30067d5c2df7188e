"""Takes the samples: variants in turn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks import machine
from tests.benchmarks.benchmark import OURS, Benchmark
from tests.benchmarks.figures import Figure, Verdict, figure, judge

#: The part of a sample that is run once before the rounds and thrown away.
WARM_UP_SCALE: Final = 0.1

Progress = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """The samples of one benchmark, by variant and metric.

    Attributes:
        benchmark: which.
        samples: by variant and metric, in the order of the rounds.
        loads: how busy the machine was when each round began.

    """

    benchmark: Benchmark
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def add(self, variant: str, facts: dict[str, float]) -> None:
        """Add one sample of each metric."""
        metrics = self.samples.setdefault(variant, {})
        for name, value in facts.items():
            metrics.setdefault(name, []).append(value)

    def figures(self, variant: str) -> dict[str, Figure]:
        """Return the figure of each metric of *variant*."""
        return {name: figure(samples) for name, samples in self.samples[variant].items()}

    def verdicts(self) -> list[Verdict]:
        """Return what the samples say about the targets."""
        return [
            judge(target, self.samples[target.ours][target.metric], self.samples[target.base][target.metric])
            for target in self.benchmark.targets
        ]


async def take(benchmark: Benchmark, rounds: int, progress: Progress) -> Outcome:
    """Run *benchmark*: a short warm-up, then *rounds* in which every variant has its turn."""
    outcome = Outcome(benchmark)
    await benchmark.prepare()
    for variant in benchmark.variants:
        progress(f"{benchmark.name}: warm-up of {variant}")
        await benchmark.measure(variant, WARM_UP_SCALE)
    for number in range(1, rounds + 1):
        outcome.loads.append(machine.load())
        for variant in benchmark.variants:
            facts = await benchmark.measure(variant)
            outcome.add(variant, facts)
            text = ", ".join(f"{name} {value:,.2f}" for name, value in facts.items())
            progress(f"{benchmark.name}: round {number} of {rounds}, {variant}: {text}")
    return outcome


async def profile(benchmarks: Sequence[Benchmark], folder: Path, progress: Progress) -> None:
    """Write a profile of everything the platform does in *benchmarks*; the profiler slows it down."""
    for benchmark in benchmarks:
        await benchmark.prepare()
        for variant in (name for name in benchmark.variants if name.startswith(OURS)):
            progress(f"{benchmark.name}: profile of {variant} into {folder}")
            await benchmark.measure(variant, profile=folder)
