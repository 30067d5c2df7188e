"""Each promise, broken once by hand: the checker says so, and says nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.checker.generating import Platform
from tests.checker.history import (
    NEVER,
    Answer,
    Call,
    Claimed,
    Committed,
    Form,
    Held,
    History,
    Letter,
    Outcome,
    Told,
)
from tests.checker.verdict import Minimum, figures, violations

SECOND = 10**9


def _right() -> History:
    """Two tells, two asks, a read, a tell that tells somebody, and two that are refused."""
    platform = Platform()
    for call in (
        Call("t1", "s", 1, "a", Form.TELL, Outcome.CONFIRMED, amount=3, in_order=True),
        Call("q1", "s", 2, "a", Form.ASK, Outcome.ANSWERED, amount=4, in_order=True),
        Call("r1", "s", 3, "a", Form.READ, Outcome.ANSWERED),
        Call("q2", "s", 4, "a", Form.ASK, Outcome.ANSWERED, in_order=True),
        Call("c1", "s", 5, "a", Form.TELL, Outcome.CONFIRMED, tells=[Told("c1>0", "b", in_order=True)]),
        Call("c2", "s", 6, "a", Form.TELL, Outcome.CONFIRMED, tells=[Told("c2>0", "b", in_order=True)]),
        Call("u1", "s", 7, "a", Form.TELL, Outcome.UNKNOWN),
        Call("b1", "s", 8, "a", Form.TELL, Outcome.CONFIRMED, is_bad=True),
        Call("b2", "s", 9, "a", Form.ASK, Outcome.REFUSED, is_bad=True),
    ):
        platform.call(call, has_effect=call.outcome is not Outcome.UNKNOWN)
    return platform.history()


def _call(history: History, name: str) -> Call:
    return next(call for call in history.calls if call.name == name)


def _hold(history: History, actor: str, *names: str) -> History:
    """Let *actor* hold *names*, and the total of them."""
    amounts = {call.name: call.amount for call in history.calls}
    held = Held(names, sum(amounts.get(name, 1) for name in names))
    return replace(history, held={**history.held, actor: held})


def _commit(history: History, *commits: Committed) -> History:
    return replace(history, commits=[*history.commits, *commits])


def _spoil(name: str, **values: object) -> Callable[[History], History]:
    def spoil(history: History) -> History:
        call = replace(_call(history, name), **values)  # type: ignore[arg-type]  # any field of a call
        return replace(history, calls=[call if one.name == name else one for one in history.calls])

    return spoil


BAD: dict[str, tuple[set[str], Callable[[History], History]]] = {
    "a confirmed tell without effect": ({"lost"}, lambda h: _hold(h, "b", "c1>0")),
    "a tell that ran twice": ({"doubled"}, lambda h: _hold(h, "b", "c1>0", "c2>0", "c2>0")),
    "a tell that ran at somebody else's": (
        {"astray"},
        lambda h: _hold(_spoil("u1", actor="c")(h), "b", "c1>0", "c2>0", "u1"),
    ),
    "an effect nobody called": ({"phantom"}, lambda h: _hold(h, "b", "c1>0", "c2>0", "x")),
    "a refused tell with an effect": ({"undone"}, lambda h: _hold(h, "a", *h.held["a"].names, "b1")),
    "a read with an effect": (
        {"undone", "wrong answer", "time"},
        lambda h: _hold(h, "a", *h.held["a"].names, "r1"),
    ),
    "tells of a turn that overtook": ({"reordered"}, lambda h: _hold(h, "b", "c2>0", "c1>0")),
    "a tell of a turn that never was": (
        {"phantom"},
        lambda h: _hold(_spoil("u1", tells=[Told("u1>0", "b")])(h), "b", "c1>0", "c2>0", "u1>0"),
    ),
    "calls of one sender that overtook": (
        {"reordered"},
        lambda h: _hold(_spoil("t1", number=3)(h), "a", *h.held["a"].names),
    ),
    "an answer from elsewhere": ({"wrong answer"}, _spoil("q1", answers=[Answer(2, 4, 8)])),
    "two answers that differ": (
        {"wrong answer"},
        _spoil("q1", answers=[Answer(2, 3, 7), Answer(3, 3, 7)]),
    ),
    "a read from the future": ({"wrong answer"}, _spoil("r1", answers=[Answer(99, 7, 7)])),
    "a stale read": ({"time"}, _spoil("r1", answers=[Answer(1, 3, 3)])),
    "a read from before it was": ({"time"}, _spoil("r1", answers=[Answer(3, 8, 8)])),
    "a turn before it was called": ({"time"}, _spoil("t1", began=50_000, ended=51_000, deadline=NEVER)),
    "a state that does not add up": (
        {"state"},
        lambda h: replace(h, held={**h.held, "b": Held(h.held["b"].names, 99)}),
    ),
    "a call that never ended": ({"hung"}, _spoil("u1", outcome=Outcome.OPEN, ended=NEVER)),
    "a call that ended too late": ({"late"}, _spoil("u1", ended=9 * SECOND)),
    "an ask answered without answer": ({"history"}, _spoil("q1", answers=[])),
    "an ask that was to be refused": (
        {"wrong answer"},
        _spoil("b2", outcome=Outcome.ANSWERED, answers=[Answer(5, 1, 2)]),
    ),
    "an ask refused without cause": ({"wrong answer"}, _spoil("u1", outcome=Outcome.REFUSED, form=Form.ASK)),
    "a version made twice": (
        {"stale"},
        lambda h: _commit(h, Committed("b", 1, 0, "another", fenced=False)),
    ),
    "a commit under an older claim": (
        {"stale"},
        lambda h: replace(h, claims=[*h.claims, Claimed("b", 2, 1)]),
    ),
    "a dead letter of a good message": (
        {"buried"},
        lambda h: replace(h, letters=[*h.letters, Letter("l", "u1", "crashed")]),
    ),
    "two dead letters of one message": (
        {"doubled"},
        lambda h: replace(h, letters=[*h.letters, Letter("other", "b1", "rejected")]),
    ),
    "no dead letter of a refused tell": ({"lost"}, lambda h: replace(h, letters=())),
    "a queue that is not empty": ({"left"}, lambda h: replace(h, left={"actors.due": 1})),
    "two calls of one name": ({"history"}, lambda h: replace(h, calls=[*h.calls, _call(h, "u1")])),
}


def _kinds(history: History, minimum: Minimum | None = None) -> set[str]:
    return {found.kind for found in violations(history, minimum)}


def test_the_right_one_is_right() -> None:
    history = _right()
    assert not list(violations(history, Minimum(tells=4, asks=3)))
    assert figures(history)["tells of turns"] == 2


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_seen(name: str) -> None:
    kinds, spoil = BAD[name]
    assert _kinds(spoil(_right())) == kinds


def test_copies_of_a_letter_and_fenced_commits_are_no_violation() -> None:
    history = _right()
    history = replace(history, letters=[*history.letters, *history.letters])
    assert not _kinds(_commit(history, Committed("b", 0, 0, "late", fenced=True)), Minimum(fenced=1))


def test_claims_between_commits_are_no_violation() -> None:
    history = replace(_right(), claims=[Claimed("b", 1, 0), Claimed("b", 1, 1), Claimed("b", 0, 0)])
    assert not _kinds(history)


@pytest.mark.parametrize(
    "minimum",
    [Minimum(tells=99), Minimum(asks=99), Minimum(fenced=1), Minimum(faults={"kill worker": 1})],
    ids=["tells", "asks", "fenced commits", "faults"],
)
def test_too_little_to_mean_anything_is_seen(minimum: Minimum) -> None:
    assert _kinds(_right(), minimum) == {"too little"}
