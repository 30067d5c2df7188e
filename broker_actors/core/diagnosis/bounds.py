"""How much a mailbox may hold, and that what must not be refused has no bound.

A full mailbox refuses, and its senders know what to do. One without a bound grows until the
broker is short of memory or disk, and then refuses everybody. What was accepted once must
always find a place, so delays, dead letters and strays have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from broker_actors.core.diagnosis.policies import Policy, matching
from broker_actors.core.finding import Finding, Severity, some
from broker_actors.core.topology import Queue

_CHECK: Final = "broker.bounds"
_KEYS: Final = ("max-length", "max-length-bytes")
#: What the policy of the deployment page is made with.
_POLICY: Final = (
    r"""rabbitmqctl set_policy mailboxes '^actors\.[A-Za-z_][A-Za-z0-9_]*\.g[0-9]+\.' """
    """'{"max-length": 1000000, "max-length-bytes": 1073741824}' --apply-to queues --priority 1"""
)


def judge_bounds(queues: Sequence[Queue], policies: Sequence[Policy]) -> Iterator[Finding]:
    """Yield what is to be said of the bounds of the platform's *queues*."""
    mailboxes = [one for one in queues if is_mailbox(one)]
    endless = [one.name for one in mailboxes if not is_bounded(one, policies)]
    if endless:
        text = (
            f"{len(endless)} of {len(mailboxes)} mailboxes have no bound ({some(endless)}): one that nobody "
            "drains grows until the broker is short of memory or disk and takes no message for anybody"
        )
        yield Finding(_CHECK, Severity.NOTE, text, _POLICY)
    elif mailboxes:
        yield Finding(_CHECK, Severity.OK, f"{len(mailboxes)} mailboxes have a bound")
    if kept := [one.name for one in queues if not is_mailbox(one) and is_bounded(one, policies)]:
        text = (
            f"{some(kept)} may get full: retries, delayed messages and dead letters, which were accepted "
            "before, then find no place and wait elsewhere, with what comes after them"
        )
        fix = f"let the pattern of the policy match mailboxes only: {_POLICY}"
        yield Finding(_CHECK, Severity.WARNING, text, fix)


def is_mailbox(queue: Queue) -> bool:
    """Return whether actors are served from *queue*."""
    return bool(queue.arguments.get("x-single-active-consumer"))


def is_bounded(queue: Queue, policies: Sequence[Policy]) -> bool:
    """Return whether *queue* takes only so much, by its arguments or by *policies*."""
    if any(f"x-{key}" in queue.arguments for key in _KEYS):
        return True
    of_users = [one for one in policies if not one.operator]
    of_operator = [one for one in policies if one.operator]
    applied = [matching(queue.name, some_of) for some_of in (of_users, of_operator)]
    found = [one.definition.get(key) for one in applied if one is not None for key in _KEYS]
    # A negative limit is none.
    return any(isinstance(limit, int) and limit >= 0 for limit in found)
