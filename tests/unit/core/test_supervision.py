from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker_actors.core import errors
from broker_actors.core.errors import (
    ActorSuspendedError,
    AskTimeoutError,
    BrokerActorsError,
    BusinessError,
    SystemFaultError,
    UndeclaredStateError,
    describe,
)
from broker_actors.core.supervision import (
    CUT_OFF,
    Restart,
    Restarts,
    Ruling,
    Suspend,
    after_fault,
    counts,
)

POLICY = Restarts(max_restarts=3, window_seconds=10.0, min_backoff_seconds=0.5, max_backoff_seconds=4.0)
ALMOST_ONE = 1 - 2**-53

policies = st.builds(
    Restarts,
    max_restarts=st.integers(0, 6),
    window_seconds=st.floats(0.001, 100),
    min_backoff_seconds=st.floats(0, 5),
    max_backoff_seconds=st.floats(5, 50),
)
chances = st.floats(0, ALMOST_ONE)
gaps_ms = st.lists(st.integers(0, 20_000), max_size=12)


def life(policy: Restarts, gaps: list[int], chance: float = ALMOST_ONE) -> list[Ruling]:
    """Return the rulings about an actor that fails after each of *gaps*, up to its suspension."""
    rulings: list[Ruling] = []
    faults: tuple[int, ...] = ()
    now_ms = 1_700_000_000_000
    for gap_ms in gaps:
        now_ms += gap_ms
        rulings.append(ruling := after_fault(policy, faults, now_ms, chance))
        if isinstance(ruling, Suspend):
            break
        faults = ruling.faults_ms
    return rulings


def test_the_wait_doubles_up_to_its_bound_and_then_the_actor_is_suspended() -> None:
    policy = replace(POLICY, max_restarts=5)
    rulings = life(policy, [0] * 6)
    waits = [round(one.wait_seconds, 6) for one in rulings if isinstance(one, Restart)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert rulings[-1] == Suspend(6)


def test_who_may_not_restart_is_suspended_by_its_first_fault() -> None:
    assert life(replace(POLICY, max_restarts=0), [0]) == [Suspend(1)]


def test_faults_that_are_a_window_apart_never_suspend_and_never_wait_longer() -> None:
    rulings = life(POLICY, [10_000] * 50)
    assert {one.wait_seconds for one in rulings if isinstance(one, Restart)} == {ALMOST_ONE * 0.5}
    assert len(rulings) == 50


@given(policies, gaps_ms, chances)
def test_there_are_never_more_restarts_in_a_window_than_allowed(
    policy: Restarts, gaps: list[int], chance: float
) -> None:
    for ruling in life(policy, gaps, chance):
        if isinstance(ruling, Restart):
            assert 1 <= len(ruling.faults_ms) <= policy.max_restarts
            assert ruling.faults_ms[-1] - ruling.faults_ms[0] <= policy.window_seconds * 1000 + 1
            assert 0 <= ruling.wait_seconds <= policy.max_backoff_seconds
        else:
            assert ruling.faults == policy.max_restarts + 1


@given(policies, gaps_ms)
def test_an_actor_is_suspended_exactly_by_one_fault_too_many_in_a_window(
    policy: Restarts, gaps: list[int]
) -> None:
    rulings = life(policy, gaps)
    window_ms = round(policy.window_seconds * 1000)
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    crowded = [
        n
        for n, at_ms in enumerate(times)
        if sum(at_ms - window_ms < before for before in times[: n + 1]) > policy.max_restarts
    ]
    assume(not crowded or crowded[0] < len(gaps))
    assert [n for n, one in enumerate(rulings) if isinstance(one, Suspend)] == crowded[:1]


@given(policies, st.lists(st.integers(0, 2**41), max_size=6).map(tuple), st.integers(0, 2**41), chances)
def test_a_clock_that_went_back_is_survived(
    policy: Restarts, faults: tuple[int, ...], now_ms: int, chance: float
) -> None:
    ruling = after_fault(policy, faults, now_ms, chance)
    assert isinstance(ruling, Suspend) or len(ruling.faults_ms) <= policy.max_restarts


def test_only_faults_of_the_actor_itself_count() -> None:
    everything = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    kinds = [cls for cls in everything if issubclass(cls, BrokerActorsError)]
    counted = {cls.__name__ for cls in kinds if counts(describe(cls("text")))}
    assert counted == {
        "ActorError",
        "AskTimeoutError",
        "BrokerActorsError",
        "ConfigurationError",
        "OrderError",
        "OutOfTurnError",
        "PayloadTooLargeError",
        "SystemFaultError",
        "UndeclaredStateError",
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("boom"), True),
        (TimeoutError(), True),
        (AskTimeoutError("no answer"), True),
        (UndeclaredStateError("x"), True),
        (SystemFaultError("x", recoverable=False), True),
        (BusinessError("no"), False),
        (ActorSuspendedError("x"), False),
    ],
    ids=repr,
)
def test_what_user_code_raises_counts_unless_it_is_a_refusal(error: Exception, expected: bool) -> None:
    assert counts(describe(error)) is expected


def test_a_call_that_was_cut_off_at_its_callers_deadline_does_not_count() -> None:
    cut_off = type(CUT_OFF, (SystemFaultError,), {})
    assert not counts(describe(cut_off("too late")))
