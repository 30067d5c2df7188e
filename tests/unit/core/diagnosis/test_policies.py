"""What policies do to the platform's queues."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import topology
from broker_actors.core.diagnosis.policies import Policy, consumer_timeout_ms, judge_policies, matching
from broker_actors.core.finding import Severity, worst
from broker_actors.core.topology import DELIVERY_LIMIT, Layout, Queue

QUEUES = [one for one in [*topology.common(), *topology.of(Layout("Thing", 1, 2))] if isinstance(one, Queue)]
NAMES = [one.name for one in QUEUES]


NONE: Mapping[str, object] = MappingProxyType({})


def policy(
    pattern: str = "^actors",
    priority: int = 0,
    *,
    operator: bool = False,
    sets: Mapping[str, object] = NONE,
    **definition: object,
) -> Policy:
    plain = {name.replace("_", "-"): value for name, value in {**sets, **definition}.items()}
    return Policy(f"p{priority}", pattern, "queues", priority, plain, operator)


def errors(*policies: Policy) -> list[str]:
    return [one.text for one in judge_policies(QUEUES, policies) if one.severity is Severity.ERROR]


def test_without_policies_all_is_well() -> None:
    assert worst(judge_policies(QUEUES, [])) is Severity.OK


@pytest.mark.parametrize(
    "definition",
    [
        {"delivery_limit": 20},
        {"expires": 60_000},
        {"delayed_retry_type": "all"},
        # Dead letters have no argument against these.
        {"max_length": 10},
        {"max_length_bytes": 10, "overflow": "drop-head"},
    ],
)
def test_a_policy_that_changes_what_a_queue_does_is_an_error(definition: dict[str, object]) -> None:
    (text,) = errors(policy("^actors.dead", sets=definition))
    assert next(iter(definition)).replace("_", "-") in text


@pytest.mark.parametrize(
    "definition",
    [
        {"delivery_limit": DELIVERY_LIMIT},
        {"delivery_limit": -1},
        {"delayed_retry_type": "disabled"},
        # A full mailbox that refuses is what senders are ready for.
        {"max_length": 10, "overflow": "reject-publish"},
        # The queues' own arguments win.
        {"overflow": "drop-head", "dead_letter_exchange": "elsewhere"},
        {"queue_leader_locator": "balanced"},
    ],
)
def test_a_policy_that_changes_nothing_is_none(definition: dict[str, object]) -> None:
    assert errors(policy(sets=definition)) == []


def test_a_length_limits_mailboxes_and_drops_dead_letters() -> None:
    assert errors(policy("Thing.g1", max_length=10)) == []
    assert len(errors(policy("dead.Thing", max_length=10))) == 1


def test_a_time_to_live_shortens_delays_and_empties_mailboxes() -> None:
    (text,) = errors(policy(r"^actors\.delay", message_ttl=3_000))
    # Levels 0 and 1 wait 1 s and 2 s by themselves.
    assert "actors.delay.02, actors.delay.03, actors.delay.04 and 23 more" in text
    assert "actors.Thing.g1.0" in errors(policy("Thing.g1", message_ttl=10**9))[0]


def test_only_the_policy_of_highest_priority_applies() -> None:
    assert errors(policy(priority=1, delivery_limit=20), policy(priority=2, expires=-1)) == []
    assert len(errors(policy(priority=3, delivery_limit=20), policy(priority=2, expires=-1))) == 1


def test_the_lower_of_policy_and_operator_policy_wins() -> None:
    operator = policy(operator=True, delivery_limit=10)
    (text,) = errors(policy(delivery_limit=20), operator)
    assert text.startswith("operator policy 'p0' sets delivery-limit to 10")
    (text,) = errors(policy(delivery_limit=5), operator)
    assert text.startswith("policy 'p0' sets delivery-limit to 5")


def test_a_pattern_nobody_here_can_read_is_a_note() -> None:
    (found, _ok) = judge_policies(QUEUES, [policy(pattern="(", delivery_limit=1)])
    assert (found.severity, "cannot be read" in found.text) == (Severity.NOTE, True)


@pytest.mark.parametrize(
    ("apply_to", "applies"), [("all", True), ("quorum_queues", True), ("exchanges", False)]
)
def test_a_policy_for_something_else_does_not_apply(apply_to: str, applies: bool) -> None:
    one = Policy("p", "", apply_to, 0, MappingProxyType({}))
    assert (matching("actors.due", [one]) is one) is applies


def test_a_consumer_timeout_is_the_lower_of_both() -> None:
    plain, operator = policy(consumer_timeout=9), policy(operator=True, consumer_timeout=5)
    assert consumer_timeout_ms(QUEUES[0], []) is None
    assert consumer_timeout_ms(QUEUES[0], [plain]) == 9
    assert consumer_timeout_ms(QUEUES[0], [plain, operator]) == 5


DEFINITIONS = st.dictionaries(
    st.sampled_from(["delivery-limit", "expires", "message-ttl", "max-length", "overflow", "priority"]),
    st.one_of(st.integers(-2, 2 * DELIVERY_LIMIT), st.sampled_from(["drop-head", "reject-publish"])),
)
POLICIES = st.lists(
    st.builds(
        Policy,
        st.just("p"),
        st.sampled_from(["", "^actors", "delay", "dead", "nothing", "("]),
        st.sampled_from(["all", "queues", "exchanges"]),
        st.integers(0, 3),
        DEFINITIONS,
        st.booleans(),
    ),
    max_size=5,
)


@given(POLICIES)
def test_whatever_policies_there_are_a_low_delivery_limit_is_never_missed(policies: list[Policy]) -> None:
    texts = errors(*policies)
    for queue in QUEUES:
        limits = [
            limit
            for operator in (False, True)
            if (one := matching(queue.name, [p for p in policies if p.operator is operator]))
            and isinstance(limit := one.definition.get("delivery-limit"), int)
            and limit >= 0
        ]
        if min(limits, default=DELIVERY_LIMIT) < DELIVERY_LIMIT:
            assert any(f"sets delivery-limit to {min(limits)} on" in text for text in texts)


@given(POLICIES)
def test_policies_that_match_none_of_ours_are_none(policies: list[Policy]) -> None:
    others = [one for one in policies if one.pattern == "nothing" or one.apply_to == "exchanges"]
    assert errors(*others) == []
