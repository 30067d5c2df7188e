"""Any right history passes, any of them with one thing wrong does not, and a million calls take seconds."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checker.generating import generate
from tests.checker.history import Answer, Committed, Held, History, Outcome
from tests.checker.verdict import violations

SURE = (Outcome.CONFIRMED, Outcome.ANSWERED)
#: To make them takes longer than to check them.
PATIENT = pytest.mark.timeout(600)
SEEDS = st.integers(0, 10**9)


@given(SEEDS, st.integers(0, 120))
def test_a_right_history_passes(seed: int, calls: int) -> None:
    assert not list(violations(generate(seed, calls)))


@given(
    SEEDS, st.randoms(use_true_random=False), st.sampled_from(["lose", "double", "swap", "answer", "commit"])
)
def test_one_thing_wrong_is_seen(seed: int, random: Random, how: str) -> None:
    history = generate(seed, 60, actors=2, senders=2)
    spoilt = {"lose": _lose, "double": _double, "swap": _swap, "answer": _answer, "commit": _commit}[how](
        history, random
    )
    assert list(violations(spoilt))


@pytest.mark.parametrize("calls", [20_000, pytest.param(1_000_000, marks=[pytest.mark.verify, PATIENT])])
def test_a_million_tells_are_checked_in_well_under_a_minute(calls: int) -> None:
    # A share of them in their share of the time: every check is one pass.
    history = generate(1, calls, actors=calls // 200)
    began_seconds = time.process_time()
    assert not list(violations(history))
    assert time.process_time() - began_seconds < calls * 40e-6


def _lose(history: History, random: Random) -> History:
    call = random.choice(
        [c for c in history.calls if c.outcome in SURE and not c.is_bad and c.form != "read"]
    )
    held = history.held[call.actor]
    names = [name for name in held.names if name != call.name]
    return _holding(history, call.actor, names, held.total - call.amount)


def _double(history: History, random: Random) -> History:
    actor = random.choice(sorted(history.held))
    held = history.held[actor]
    amounts = {call.name: call.amount for call in history.calls}
    name = random.choice(list(held.names))
    names = list(held.names)
    names.insert(random.randint(0, len(names)), name)
    return _holding(history, actor, names, held.total + amounts.get(name, 1))


def _swap(history: History, random: Random) -> History:
    """Swap two turns of one sender at one actor, both of them sure."""
    pairs = {
        (call.sender, call.actor): (before, call)
        for before in history.calls
        for call in history.calls
        if before.number < call.number
        and before.actor == call.actor
        and before.sender == call.sender
        and before.form != "read"
        and call.form != "read"
        and not (before.is_bad or call.is_bad)
        and before.outcome in SURE
        and call.outcome in SURE
    }
    one, other = pairs[random.choice(sorted(pairs))]
    held = history.held[one.actor]
    swapped = {one.name: other.name, other.name: one.name}
    return _holding(history, one.actor, [swapped.get(name, name) for name in held.names], held.total)


def _answer(history: History, random: Random) -> History:
    call = random.choice([call for call in history.calls if call.answers])
    answer = list(call.answers[0])
    answer[random.randrange(3)] += random.choice((-1, 1))
    spoilt = replace(call, answers=[Answer(*answer)])
    return replace(history, calls=[spoilt if one is call else one for one in history.calls])


def _commit(history: History, random: Random) -> History:
    commit = random.choice(list(history.commits))
    other = Committed(commit.actor, commit.epoch, commit.version, "somebody else's", fenced=False)
    return replace(history, commits=[*history.commits, other])


def _holding(history: History, actor: str, names: list[str], total: int) -> History:
    return replace(history, held={**history.held, actor: Held(names, total)})
