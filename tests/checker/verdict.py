"""What a history comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.checker.calls import endings
from tests.checker.effects import effects, letters
from tests.checker.fence import fence
from tests.checker.history import Form, History, Outcome, Violation
from tests.checker.linear import linear
from tests.checker.order import order

CHECKS: Final = (effects, letters, order, linear, endings, fence)


@dataclass(frozen=True, slots=True)
class Minimum:
    """How much must have happened for a verdict to mean anything.

    Attributes:
        tells: confirmed.
        asks: answered.
        fenced: commits that were refused.
        faults: by kind.

    """

    tells: int = 0
    asks: int = 0
    fenced: int = 0
    faults: Mapping[str, int] = field(default_factory=dict[str, int])


def violations(history: History, minimum: Minimum | None = None) -> Iterator[Violation]:
    """Yield everything that is wrong with *history*."""
    for check in CHECKS:
        yield from check(history)
    for name, count in history.left.items():
        if count:
            yield Violation("left", f"{name} holds {count} in the end")
    yield from _too_little(history, minimum or Minimum())


def figures(history: History) -> dict[str, int]:
    """Return how much of what happened, by name."""
    calls = Counter((call.form, call.outcome) for call in history.calls)
    asked = (Form.ASK, Form.READ)
    return {
        "calls": len(history.calls),
        "confirmed tells": calls[Form.TELL, Outcome.CONFIRMED],
        "unconfirmed tells": calls[Form.TELL, Outcome.UNKNOWN],
        "answered asks": sum(calls[form, Outcome.ANSWERED] for form in asked),
        "refused asks": sum(calls[form, Outcome.REFUSED] for form in asked),
        "asks that timed out": sum(calls[form, Outcome.UNKNOWN] for form in asked),
        "tells of turns": sum(len(call.tells) for call in history.calls),
        "effects": sum(len(held.names) for held in history.held.values()),
        "actors": len(history.held),
        "dead letters": len({letter.id for letter in history.letters}),
        "claims": len(history.claims),
        "commits": sum(not commit.fenced for commit in history.commits),
        "fenced commits": sum(commit.fenced for commit in history.commits),
        "promised to be in order": sum(call.in_order for call in history.calls),
    }


def _too_little(history: History, minimum: Minimum) -> Iterator[Violation]:
    found = figures(history)
    wanted = {
        "confirmed tells": minimum.tells,
        "answered asks": minimum.asks,
        "fenced commits": minimum.fenced,
    }
    for name, count in wanted.items():
        if found[name] < count:
            yield Violation("too little", f"{found[name]} {name}, and the run is to have {count}")
    for kind, count in minimum.faults.items():
        if history.faults.get(kind, 0) < count:
            done = history.faults.get(kind, 0)
            yield Violation("too little", f"{kind}: {done} times, and the run is to have {count}")
