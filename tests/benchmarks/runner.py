"""Takes the samples: variants in turn, round after round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks import machine
from tests.benchmarks.benchmark import Benchmark, Sampling
from tests.benchmarks.report import METRICS
from tests.benchmarks.results import Result
from tests.benchmarks.variants import OURS

#: The part of a sample that is run once before the rounds and thrown away.
WARM_UP: Final = Sampling(scale=0.1)

Progress = Callable[[str], None]


async def take(benchmark: Benchmark, rounds: int, progress: Progress) -> Result:
    """Run *benchmark*: a short warm-up, then *rounds* in which every variant has its turn."""
    result = Result(benchmark.key, benchmark.name, list(benchmark.targets))
    await benchmark.prepare()
    for variant in benchmark.variants:
        progress(f"{benchmark.name}: warm-up of {variant}")
        await benchmark.measure(variant, WARM_UP)
    rounds = min(rounds, benchmark.rounds_max)
    for number in range(1, rounds + 1):
        result.loads.append(machine.load())
        # The other way round every second time: no variant always comes after the same one.
        for variant in benchmark.variants if number % 2 else reversed(benchmark.variants):
            facts = await benchmark.measure(variant, Sampling())
            # In their order, and without what only helped to measure.
            found = {name: facts[name] for name in METRICS if name in facts}
            result.add(variant, found)
            text = ", ".join(f"{METRICS[name].title} {value:,.2f}" for name, value in found.items())
            progress(f"{benchmark.name}: round {number} of {rounds}, {variant}: {text}")
    return result


async def profile(benchmarks: Sequence[Benchmark], folder: Path, progress: Progress) -> None:
    """Write a profile of everything the platform does in *benchmarks*; the profiler slows it down."""
    for benchmark in benchmarks:
        await benchmark.prepare()
        for variant in (name for name in benchmark.variants if name.startswith(OURS)):
            progress(f"{benchmark.name}: profile of {variant} into {folder}")
            await benchmark.measure(variant, Sampling(profile=folder))
