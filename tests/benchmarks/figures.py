"""From samples to figures: medians, spreads, ratios, verdicts. Pure.

Variants take turns, so the samples of one round belong together: a ratio is computed per
round, which takes out what changed on the machine between rounds, and the ratios' median
is judged. The interval of a median comes from order statistics and assumes nothing about
the distribution: between the smallest and the largest of n samples the true median lies
with a probability of 1 - 2^(1-n), 94 % for five rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

#: What an interval of more than a few samples is narrowed to.
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its spread.

    Attributes:
        median: of all samples.
        low: the lower end of the median's interval.
        high: the upper end.
        samples: all, in the order of the rounds.

    """

    median: float
    low: float
    high: float
    samples: tuple[float, ...]


def figure(samples: Sequence[float]) -> Figure:
    """Return the figure of *samples*, of which there is at least one."""
    ordered = sorted(samples)
    n, cut = len(ordered), 0
    while 2 * (cut + 1) < n and _coverage(n, cut + 1) >= CONFIDENCE:
        cut += 1
    return Figure(statistics.median(ordered), ordered[cut], ordered[n - 1 - cut], tuple(samples))


def ratio(ours: Sequence[float], base: Sequence[float]) -> Figure:
    """Return the figure of *ours* divided by *base*, round by round."""
    return figure([a / b for a, b in zip(ours, base, strict=True)])


@dataclass(frozen=True, slots=True)
class Target:
    """A promise about two variants of one benchmark.

    Attributes:
        metric: what is compared.
        ours: the variant that is held to it.
        base: the variant it is held against.
        bound: of the ratio.
        at_most: whether the ratio must stay below the bound, rather than above.

    """

    metric: str
    ours: str
    base: str
    bound: float
    at_most: bool = False

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{self.ours} {sign} {self.bound:g} x {self.base}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the samples say about a target.

    Attributes:
        target: which.
        ratio: ours divided by base.
        met: whether the median ratio keeps the bound.
        certain: whether the whole interval of the ratio lies on that side of the bound.

    """

    target: Target
    ratio: Figure
    met: bool
    certain: bool

    def __str__(self) -> str:
        word = "PASS" if self.met else "MISS"
        return word if self.certain else f"{word} (within the noise)"


def judge(target: Target, ours: Sequence[float], base: Sequence[float]) -> Verdict:
    """Hold *ours* to *target*."""
    found = ratio(ours, base)

    def keeps(value: float) -> bool:
        return value <= target.bound if target.at_most else value >= target.bound

    met = keeps(found.median)
    certain = len(found.samples) > 1 and keeps(found.low) == met and keeps(found.high) == met
    return Verdict(target, found, met, certain)


def _coverage(n: int, cut: int) -> float:
    """Return how probably the median lies within *n* ordered samples without *cut* at either end."""
    return 1 - 2.0 ** (1 - n) * sum(comb(n, k) for k in range(cut + 1))
