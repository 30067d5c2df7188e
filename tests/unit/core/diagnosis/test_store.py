"""What a store must be like to hold actors, and what modules say about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.diagnosis.declared import judge_layouts, judge_settings
from broker_actors.core.diagnosis.store import StoreFacts, judge_store
from broker_actors.core.finding import Severity, worst
from broker_actors.core.topology import Layout

GOOD = StoreFacts("Redis", "8.2.2", maxmemory_bytes=1_000, used_bytes=100)


def test_a_store_set_up_as_recommended_is_fine() -> None:
    assert worst(judge_store(GOOD)) is Severity.OK


@pytest.mark.parametrize(
    ("facts", "checks"),
    [
        (replace(GOOD, eviction="allkeys-lru"), ["store.eviction"]),
        (replace(GOOD, aof=False), ["store.durability"]),
        (replace(GOOD, aof_healthy=False), ["store.durability"]),
        (replace(GOOD, appendfsync="no"), ["store.durability"]),
        (replace(GOOD, role="slave"), ["store.role"]),
        (replace(GOOD, role="slave", refusals=["EVALSHA: READONLY"]), ["store.role"]),
        (replace(GOOD, cluster_nodes=3), []),
        (replace(GOOD, cluster_nodes=1), []),
        (replace(GOOD, refusals=["EVALSHA: no"]), ["store.commands"]),
        (replace(GOOD, appendfsync="everysec"), []),
        (replace(GOOD, appendfsync=None), []),
        (replace(GOOD, used_bytes=950), []),
    ],
)
def test_each_fault_is_one_error(facts: StoreFacts, checks: list[str]) -> None:
    assert [one.check for one in judge_store(facts) if one.severity is Severity.ERROR] == checks


@pytest.mark.parametrize(
    ("refusal", "fix"),
    [
        ("OOM command not allowed", "maxmemory"),
        ("MISCONF Redis", "disk"),
        ("NOPERM this user", "ACL SETUSER"),
    ],
)
def test_a_refusal_is_mended_by_what_it_is_about(refusal: str, fix: str) -> None:
    (found,) = (
        one for one in judge_store(replace(GOOD, refusals=[refusal])) if one.check == "store.commands"
    )
    assert fix in found.fix


def test_of_a_cluster_one_node_was_examined() -> None:
    (found,) = (one for one in judge_store(replace(GOOD, cluster_nodes=3)) if one.check == "store.role")
    assert found.severity is Severity.NOTE
    assert "3 primaries" in found.text


def test_a_store_that_tells_nothing_is_a_warning_and_not_guessed_at() -> None:
    findings = list(judge_store(replace(GOOD, told=False, eviction="unknown", aof=False)))
    assert worst(findings) is Severity.WARNING


@given(
    st.builds(
        StoreFacts,
        product=st.just("Redis"),
        version=st.just("8.2.2"),
        role=st.sampled_from(["master", "slave"]),
        cluster_nodes=st.integers(0, 3),
        eviction=st.sampled_from(["noeviction", "allkeys-lru"]),
        maxmemory_bytes=st.integers(0, 100),
        used_bytes=st.integers(0, 200),
        aof=st.booleans(),
        appendfsync=st.sampled_from(["always", "everysec", "no", None]),
    )
)
def test_whatever_is_wrong_has_a_fix_and_a_safe_store_no_error(facts: StoreFacts) -> None:
    findings = list(judge_store(facts))
    assert all(one.fix for one in findings if one.severity > Severity.OK)
    safe = (
        facts.eviction == "noeviction" and facts.aof and facts.appendfsync != "no" and facts.role == "master"
    )
    assert (worst(findings) < Severity.ERROR) is safe


def test_a_layout_that_is_not_the_recorded_one_is_an_error() -> None:
    declared, recorded = Layout("Thing", 1, 16), Layout("Thing", 1, 8)
    (found,) = judge_layouts([declared, Layout("New")], {"Thing": recorded})
    assert found.severity is Severity.ERROR
    assert "16 partitions, generation 1" in found.text
    assert "8 partitions, generation 1 on record" in found.text
    assert "generation=2" in found.fix
    assert worst(judge_layouts([declared], {"Thing": declared})) is Severity.OK
    assert list(judge_layouts([], {"Thing": recorded})) == []


def test_a_tiny_window_is_a_note() -> None:
    assert worst(judge_settings(prefetch=1)) is Severity.NOTE
    assert list(judge_settings(prefetch=1_000)) == []
