"""From samples to figures: medians, spreads, ratios, verdicts. Pure.

Variants take turns, so the samples of one round belong together: a ratio is computed per
round, which takes out what changed on the machine between rounds, and the ratios' median
is judged. The interval of a median comes from order statistics and assumes nothing about
the distribution: between the smallest and the largest of n samples the true median lies
with a probability of 1 - 2^(1-n), 94 % for five rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """A promise about a variant of one benchmark.

    Attributes:
        metric: what is compared.
        ours: the variant that is held to it.
        bases: the variants of which it is held against the best; none if the bound is a value.
        bound: of the ratio to that one, or of the value.
        at_most: whether less is better, and the bound is the most.

    """

    metric: str
    ours: str
    bases: tuple[str, ...]
    bound: float
    at_most: bool = False

    def among(self, variants: Collection[str]) -> Target | None:
        """Return what of this can be judged where only *variants* take part, if anything."""
        bases = tuple(base for base in self.bases if base in variants)
        if self.ours not in variants or (self.bases and not bases):
            return None
        return replace(self, bases=bases)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the samples say about a target.

    Attributes:
        target: which.
        base: the best of those it is held against; empty if its bound is a value.
        found: ours divided by that one, or ours.
        met: whether the median of it keeps the bound.
        certain: whether its whole interval lies on that side of the bound.

    """

    target: Target
    base: str
    found: Figure
    met: bool
    certain: bool

    @property
    def word(self) -> str:
        """The verdict."""
        word = "met" if self.met else "MISSED"
        return word if self.certain else f"{word} (within the noise)"

    def __str__(self) -> str:
        sign = "<=" if self.target.at_most else ">="
        if not self.base:
            return f"{self.target.ours} {sign} {self.target.bound:,g}"
        best = "the best peer, " if len(self.target.bases) > 1 else ""
        return f"{self.target.ours} {sign} {self.target.bound:g} x {best}{self.base}"


def judge(target: Target, samples: Mapping[str, Sequence[float]]) -> Verdict:
    """Hold the samples of a metric, by variant, to *target*, which is among them."""
    ours = samples[target.ours]
    best = min if target.at_most else max
    base = best(target.bases, key=lambda name: statistics.median(samples[name]), default="")
    found = ratio(ours, samples[base]) if base else figure(ours)

    def keeps(value: float) -> bool:
        return value <= target.bound if target.at_most else value >= target.bound

    met = keeps(found.median)
    certain = len(found.samples) > 1 and keeps(found.low) == met and keeps(found.high) == met
    return Verdict(target, base, found, met, certain)


def _coverage(n: int, cut: int) -> float:
    """Return how probably the median lies within *n* ordered samples without *cut* at either end."""
    return 1 - 2.0 ** (1 - n) * sum(comb(n, k) for k in range(cut + 1))
