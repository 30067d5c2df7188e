"""What policies do to the platform's queues.

Arguments of a queue and policies add up by two rules: of limits the lowest wins, whoever sets it; of
everything else the argument wins. So a policy cannot replace a dead letter exchange, but it can lower a
delivery limit, expire messages or give a queue without an argument of its own another overflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker_actors.core.finding import Finding, Severity, some
from broker_actors.core.topology import DEAD, Queue

#: Whose value, if it is lower than that of the argument, changes what the queue does.
_LIMITS: Final = frozenset({"delivery-limit", "expires", "max-length", "max-length-bytes", "message-ttl"})
_NO_LIMIT: Final = -1
_LENGTHS: Final = frozenset({"max-length", "max-length-bytes"})
#: Kinds of things a policy says it is for that include quorum queues.
_FOR_QUEUES: Final = frozenset({"all", "queues", "quorum_queues"})
_CONSEQUENCES: Final = {
    "delivery-limit": "a message that was given back that often is dead-lettered, with all that wait in "
    "the same worker: a few orderly restarts are enough",
    "expires": "the queue is deleted, with its messages, when nobody has used it for that long",
    "message-ttl": "messages leave it when they get that old, whether they were worked on or not",
    "max-length": "it drops its oldest messages when it is full",
    "max-length-bytes": "it drops its oldest messages when it is full",
    "delayed-retry-type": "messages that are given back wait, and later ones overtake them",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy or an operator policy of a virtual host.

    Attributes:
        name: what it is called.
        pattern: which names it is for, a regular expression.
        apply_to: for which kinds: `all`, `queues`, `quorum_queues`, `exchanges` and others.
        priority: of those that match a name, the highest applies, alone.
        definition: what it sets.
        operator: whether it is one of the operator's, which apply besides the others.

    """

    name: str
    pattern: str
    apply_to: str
    priority: int
    definition: Mapping[str, object]
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """What a policy sets on a queue that changes it: a key, the value, by which policy."""

    key: str
    value: object
    policy: str


def judge_policies(queues: Sequence[Queue], policies: Sequence[Policy]) -> Iterator[Finding]:
    """Yield one finding for each setting of a policy that changes what queues do."""
    changed: dict[tuple[str, str, str], list[str]] = {}
    for queue in queues:
        for one in applied(queue, policies):
            changed.setdefault((one.policy, one.key, str(one.value)), []).append(queue.name)
    for (policy, key, value), names in changed.items():
        text = f"{policy} sets {key} to {value} on {some(names)}: {_CONSEQUENCES[key]}"
        fix = f"remove {key} from {policy}, or change its pattern so that it spares the platform's queues"
        yield Finding("broker.policies", Severity.ERROR, text, fix)
    for unread in policies:
        if _pattern(unread) is None:
            text = f"the pattern of {_called(unread)} cannot be read here: {unread.pattern}"
            fix = f"see with `rabbitmqctl list_queues name policy` whether it applies to {DEAD}.*, or others"
            yield Finding("broker.policies", Severity.NOTE, text, fix)
    if not changed:
        yield Finding("broker.policies", Severity.OK, "no policy changes what the platform's queues do")


def applied(queue: Queue, policies: Sequence[Policy]) -> Iterator[Applied]:
    """Yield what policies change about *queue*, each key once."""
    seen: dict[str, Applied] = {}
    for operator in (False, True):
        policy = matching(queue.name, [one for one in policies if one.operator is operator])
        if policy is None:
            continue
        for key, value in policy.definition.items():
            if _changes(queue, key, value) and not (key in seen and _is_lower(seen[key].value, value)):
                seen[key] = Applied(key, value, _called(policy))
    overflow = _overflow(queue, policies)
    # Refusing what does not fit is what every sender is ready for; dropping is not.
    yield from (one for one in seen.values() if one.key not in _LENGTHS or overflow != "reject-publish")


def matching(name: str, policies: Sequence[Policy]) -> Policy | None:
    """Return the policy that applies to the queue *name*: of those that match, that of highest priority."""
    found = [policy for policy in policies if policy.apply_to in _FOR_QUEUES and _matches(policy, name)]
    return max(found, key=lambda policy: policy.priority, default=None)


def consumer_timeout_ms(queue: Queue, policies: Sequence[Policy]) -> int | None:
    """Return how long a delivery to a consumer of *queue* may stay unacknowledged, if a policy says so."""
    found = [
        value
        for operator in (False, True)
        if (policy := matching(queue.name, [one for one in policies if one.operator is operator]))
        and isinstance(value := policy.definition.get("consumer-timeout"), int)
    ]
    return min(found, default=None)


def _changes(queue: Queue, key: str, value: object) -> bool:
    if key in _LIMITS:
        return _is_lower(value, queue.arguments.get(f"x-{key}", _NO_LIMIT))
    return key == "delayed-retry-type" and value != "disabled"


def _is_lower(value: object, than: object) -> bool:
    # A negative limit is none. A bool is no number here, though Python thinks so.
    if not isinstance(value, int) or not isinstance(than, int) or value < 0:
        return False
    return than < 0 or value < than


def _overflow(queue: Queue, policies: Sequence[Policy]) -> object:
    if (argument := queue.arguments.get("x-overflow")) is not None:
        return argument
    for operator in (True, False):
        policy = matching(queue.name, [one for one in policies if one.operator is operator])
        if policy is not None and "overflow" in policy.definition:
            return policy.definition["overflow"]
    return "drop-head"


def _matches(policy: Policy, name: str) -> bool:
    pattern = _pattern(policy)
    return pattern is not None and pattern.search(name) is not None


def _pattern(policy: Policy) -> re.Pattern[str] | None:
    # Erlang's expressions are Perl's; what Python does not know is told, not guessed.
    try:
        return re.compile(policy.pattern)
    except re.error:
        return None


def _called(policy: Policy) -> str:
    return f"{'operator policy' if policy.operator else 'policy'} {policy.name!r}"
