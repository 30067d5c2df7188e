"""What stands in the broker, and who works there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from broker_actors.core.diagnosis.broker import BrokerFacts, judge_broker, missing_bindings
from broker_actors.core.diagnosis.nodes import Node, judge_alarms, judge_consumer_timeout
from broker_actors.core.diagnosis.policies import Policy
from broker_actors.core.diagnosis.reach import Place, judge_clock, judge_latency
from broker_actors.core.diagnosis.standing import Standing, State, expected, is_leftover, judge_standing
from broker_actors.core.finding import Finding, Severity, worst
from broker_actors.core.topology import Binding, Layout, Queue

THING = Layout("Thing", 1, 2)
LAMP = Layout("Lamp", 1, 0)


def standings(state: State = State.AS_DECLARED, **others: State) -> list[Standing]:
    """Everything a deployment with `Thing` has; in *others* names have underscores for dots."""
    every = [one for one in expected([THING], {}) if not isinstance(one, Binding)]
    return [Standing(one, others.get(one.name.replace(".", "_"), state)) for one in every]


def facts(found: Sequence[Standing], broken_off: str = "") -> BrokerFacts:
    place = Place("here:5672", "guest", "/")
    return BrokerFacts(place, "RabbitMQ", "4.3.6", 0.001, standings=found, broken_off=broken_off)


def errors(findings: Sequence[Finding]) -> list[str]:
    return [one.text for one in findings if one.severity is Severity.ERROR]


def test_what_is_as_declared_is_fine() -> None:
    findings = list(judge_broker(facts(standings()), [THING], ["Thing"]))
    # No worker runs.
    assert worst(findings) is Severity.NOTE


def test_a_broker_without_anything_is_new_unless_the_store_knows_better() -> None:
    nothing = facts(standings(State.MISSING))
    assert errors(list(judge_broker(nothing, [THING], []))) == []
    (text,) = errors(list(judge_broker(nothing, [THING], ["Thing"])))
    assert "should exist and does not" in text


def test_a_broker_that_stops_answering_is_an_error() -> None:
    (text,) = errors(list(judge_broker(facts([], "gone"), [], [])))
    assert "stopped answering: gone" in text


@pytest.mark.parametrize(
    ("state", "severity"),
    [(State.DIFFERENT, Severity.ERROR), (State.SILENT, Severity.ERROR), (State.UNSEEN, Severity.NOTE)],
)
def test_a_queue_that_is_not_as_declared_is_named(state: State, severity: Severity) -> None:
    (found,) = judge_standing(standings(actors_dead_Thing=state), [])
    assert (found.severity, "actors.dead.Thing" in found.text) == (severity, True)


def test_only_bindings_between_what_exists_can_be_missing() -> None:
    wanted = expected([THING], {})
    present = [one for one in wanted if isinstance(one, Binding)]
    assert missing_bindings(facts(standings()), wanted, present) == []
    first, *others = present
    assert missing_bindings(facts(standings()), wanted, others) == [first]
    assert missing_bindings(facts(standings(State.MISSING)), wanted, []) == []


def test_dedicated_mailboxes_are_expected_for_every_spawned_id() -> None:
    names = {one.name for one in expected([LAMP], {"Lamp": ["hall"]}) if isinstance(one, Queue)}
    assert "actors.Lamp.g1.id.hall" in names


@pytest.mark.parametrize(
    ("name", "left_over"),
    [
        ("actors.Thing.g1.0", False),
        ("actors.Thing.g1.2", True),
        ("actors.Thing.g0.0", True),
        ("actors.Ghost.g1.0", True),
        ("actors.Lamp.g1.id.hall", False),
        ("actors.dead.Ghost", False),
        ("actors.probe.host:4711:0cc41b26", False),
        ("orders", False),
    ],
)
def test_a_queue_of_ours_that_nobody_uses_is_left_over(name: str, left_over: bool) -> None:
    assert is_leftover(name, [THING, LAMP], THING.mailboxes()) is left_over


def test_alarms_are_told_by_nodes_or_by_a_blocked_connection() -> None:
    assert list(judge_alarms([], blocked=False)) == []
    assert worst(judge_alarms([Node("a")], blocked=False)) is Severity.OK
    (text,) = errors(list(judge_alarms([Node("a", alarms=["disk"])], blocked=True)))
    assert "disk on a" in text
    assert len(errors(list(judge_alarms([], blocked=True)))) == 1


def test_a_broken_cluster_is_told() -> None:
    nodes = [Node("a", partitioned_from=["b"]), Node("b", running=False)]
    severities = {one.check: one.severity for one in judge_alarms(nodes[:1], blocked=False)}
    assert severities["broker.nodes"] is Severity.ERROR
    severities = {one.check: one.severity for one in judge_alarms(nodes[1:], blocked=False)}
    assert severities["broker.nodes"] is Severity.WARNING


@pytest.mark.parametrize(
    ("timeout_ms", "longest_seconds", "severity"),
    [
        (None, 30.0, Severity.NOTE),
        (None, 1_800.0, Severity.WARNING),
        (60_000, 30.0, Severity.OK),
        (60_000, 60.0, Severity.ERROR),
    ],
)
def test_the_broker_must_wait_longer_than_turns_take(
    timeout_ms: int | None, longest_seconds: float, severity: Severity
) -> None:
    definition = {} if timeout_ms is None else {"consumer-timeout": timeout_ms}
    policies = [Policy("p", "", "all", 0, definition)]
    queues = [Queue(name) for name in THING.mailboxes()]
    assert judge_consumer_timeout(queues, policies, longest_seconds).severity is severity
    assert judge_consumer_timeout(queues, None, 1.0).severity is Severity.NOTE


@pytest.mark.parametrize(
    ("ahead_seconds", "text"), [(0.9, ""), (-0.9, ""), (3.0, "3.0 s ahead of"), (-3.0, "3.0 s behind")]
)
def test_clocks_that_differ_are_a_warning(ahead_seconds: float, text: str) -> None:
    (found,) = judge_clock("store", ahead_seconds, 0.1)
    assert found.severity is (Severity.WARNING if text else Severity.OK)
    assert text in found.text


def test_a_long_way_is_told() -> None:
    assert judge_latency("store", 0.001).fix == ""
    assert "close" in judge_latency("store", 0.1).fix
