"""Actors whose messages wait in the store: each is told of once, with what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.address import Address
from broker_actors.core.diagnosis.standstill import BLOCKED, PARKED, SUSPENDED, Still, judge_standstill
from broker_actors.core.finding import Severity
from broker_actors.core.suspension import Cause, Suspension

P1 = Address("Pump", "p1")
BY_FAULTS = Suspension(Cause.FAULTS, "the motor does not run", 1)
BY_HAND = Suspension(Cause.OPERATOR, "a moth", 1)


@pytest.mark.parametrize(
    ("still", "check", "severity", "texts", "fix"),
    [
        (
            Still(P1, 2, BY_FAULTS, "move", 3),
            SUSPENDED,
            Severity.WARNING,
            ("1 actor of Pump is suspended", "p1 (faults: the motor does not run)", "2 messages wait"),
            "then broker-actors actors resume Pump p1",
        ),
        (
            Still(P1, 0, BY_HAND),
            SUSPENDED,
            Severity.NOTE,
            ("p1 (operator: a moth)", "0 messages wait"),
            "broker-actors actors resume Pump p1",
        ),
        (
            Still(P1, 1, None, "move", 2),
            BLOCKED,
            Severity.WARNING,
            ("held up by a message that failed", "p1 (move, attempt 2 is next)", "1 message waits"),
            "broker-actors actors show Pump p1",
        ),
        (
            Still(P1, 600, None, "move"),
            PARKED,
            Severity.NOTE,
            ("1 actor of Pump is so busy", "p1", "600 messages wait"),
            "nothing while they get fewer",
        ),
    ],
)
def test_an_actor_that_stands_still_is_told_of_with_its_reason_and_a_fix(
    still: Still, check: str, severity: Severity, texts: tuple[str, ...], fix: str
) -> None:
    (found,) = judge_standstill([still])
    assert (found.check, found.severity) == (check, severity)
    assert [text for text in texts if text not in found.text] == []
    assert fix in found.fix


STILLS = st.lists(
    st.builds(
        Still,
        address=st.builds(Address, st.just("Pump"), st.text("abc", min_size=1)),
        entries=st.integers(0, 5),
        suspension=st.sampled_from([None, BY_FAULTS, BY_HAND, Suspension("of a later release", "", 0)]),
        method=st.sampled_from(["", "move"]),
        attempt=st.integers(1, 3),
    ),
    unique_by=lambda one: one.address,
)


@given(STILLS)
def test_each_is_told_of_once_and_every_finding_says_what_to_do(stills: list[Still]) -> None:
    findings = list(judge_standstill(stills))
    counted = [int(one.text.split()[0]) for one in findings]
    told = [one for one in stills if one.entries or one.suspension is not None or one.is_blocked]
    assert sum(counted) == len(told)
    assert all(one.fix for one in findings)
    assert len(findings) <= len(told)
