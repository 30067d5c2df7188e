"""What has a bound, and what must not."""

from __future__ import annotations

import pytest

from broker_actors.core import topology
from broker_actors.core.diagnosis.bounds import is_bounded, is_mailbox, judge_bounds
from broker_actors.core.diagnosis.policies import Policy
from broker_actors.core.finding import Severity
from broker_actors.core.topology import Layout, Queue

THING = Layout("Thing", 1, 2)
QUEUES = [one for one in [*topology.common(), *topology.of(THING)] if isinstance(one, Queue)]
MAILBOXES = r"^actors\.[A-Za-z_][A-Za-z0-9_]*\.g[0-9]+\."


def policy(definition: dict[str, int], pattern: str = MAILBOXES, *, operator: bool = False) -> Policy:
    return Policy("p", pattern, "queues", 0, definition, operator)


def severities(*policies: Policy) -> list[Severity]:
    return [one.severity for one in judge_bounds(QUEUES, policies)]


def test_the_mailboxes_are_those_that_actors_are_served_from() -> None:
    assert [one.name for one in QUEUES if is_mailbox(one)] == THING.mailboxes()


def test_mailboxes_without_a_bound_are_a_note_with_the_command_that_gives_them_one() -> None:
    (found,) = judge_bounds(QUEUES, [policy({"max-length": 10}, "^elsewhere")])
    assert (found.check, found.severity) == ("broker.bounds", Severity.NOTE)
    assert "2 of 2 mailboxes have no bound (actors.Thing.g1.0, actors.Thing.g1.1)" in found.text
    assert MAILBOXES in found.fix


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("key", ["max-length", "max-length-bytes"])
def test_a_policy_of_either_kind_and_unit_is_a_bound(key: str, *, operator: bool) -> None:
    assert severities(policy({key: 10}, operator=operator)) == [Severity.OK]


@pytest.mark.parametrize("definition", [{"max-length": -1}, {"delivery-limit": 5}])
def test_what_limits_nothing_is_none(definition: dict[str, int]) -> None:
    assert severities(policy(definition)) == [Severity.NOTE]


def test_a_bound_of_what_keeps_accepted_messages_is_a_warning() -> None:
    _, found = judge_bounds(QUEUES, [policy({"max-length": 10}, r"^actors\.")])
    assert found.severity is Severity.WARNING
    assert "actors.due" in found.text or "actors.unroutable" in found.text


def test_nothing_is_said_where_there_is_no_mailbox() -> None:
    assert list(judge_bounds([Queue("actors.due", {})], [])) == []


def test_an_argument_is_a_bound() -> None:
    assert is_bounded(Queue("q", {"x-max-length": 10}), [])
    assert not is_bounded(Queue("q", {}), [])
