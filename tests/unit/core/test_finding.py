"""Findings: their order, and how many names one shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.finding import Finding, Severity, in_order, some, worst

FINDINGS = st.lists(st.builds(Finding, st.text(), st.sampled_from(Severity), st.text()))


@given(FINDINGS)
def test_the_gravest_comes_first_and_none_is_lost(findings: list[Finding]) -> None:
    ordered = in_order(findings)
    assert [one.severity for one in ordered] == sorted((one.severity for one in findings), reverse=True)
    for severity in Severity:
        # Equally grave ones stay in the order in which they were found.
        assert [one for one in ordered if one.severity is severity] == [
            one for one in findings if one.severity is severity
        ]


@given(FINDINGS)
def test_the_worst_is_the_first_in_order(findings: list[Finding]) -> None:
    assert worst(findings) == (in_order(findings)[0].severity if findings else Severity.OK)


def test_a_long_list_of_names_is_cut_and_counted() -> None:
    assert some([]) == ""
    assert some(["a", "b", "a"]) == "a, b"
    assert some("abcdefg") == "a, b, c and 4 more"
