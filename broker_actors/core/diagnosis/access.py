"""What the broker's user may do, and whether publishing works at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote
from typing import Final

from broker_actors.core.diagnosis.reach import Place
from broker_actors.core.finding import Finding, Severity, some

#: Covers every name the platform uses, and nothing of anybody else.
NAMES: Final = r"^actors(\..*)?$"


class Access(StrEnum):
    """The three permissions of RabbitMQ."""

    CONFIGURE = "configure"
    WRITE = "write"
    READ = "read"


_NEEDED_FOR: Final = {
    Access.CONFIGURE: "declare queues and exchanges, as a worker does when it starts",
    Access.WRITE: "send messages, nor bind mailboxes",
    Access.READ: "receive messages, nor bind mailboxes",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something the broker did not let its user do."""

    access: Access
    name: str


@dataclass(frozen=True, slots=True)
class Swallowed:
    """An exchange that confirmed a message nobody could get, instead of returning it."""

    exchange: str


def judge_access(place: Place, refusals: Collection[Refusal]) -> Iterator[Finding]:
    """Yield one finding for each permission that is missing."""
    for access in Access:
        names = [refusal.name for refusal in refusals if refusal.access is access]
        if names:
            text = (
                f"user {place.user!r} has no {access} permission on {some(names)}: "
                f"it cannot {_NEEDED_FOR[access]}"
            )
            yield Finding("broker.permissions", Severity.ERROR, text, _fix(place, access))
    if not refusals:
        text = f"user {place.user!r} may configure, write and read what the platform uses"
        yield Finding("broker.permissions", Severity.OK, text)


def judge_swallowed(swallowed: Sequence[Swallowed]) -> Iterator[Finding]:
    """Yield a finding if messages that reach nobody are confirmed."""
    if swallowed:
        text = (
            f"exchange {some(one.exchange for one in swallowed)} confirms messages that reach no queue of "
            "the platform, as one with an alternate exchange does: senders do not learn of missing mailboxes"
        )
        fix = (
            "remove alternate-exchange from the policy of the exchange; foreign publishers who want a safety "
            "net use the exchange actors.in"
        )
        yield Finding("broker.unroutable", Severity.ERROR, text, fix)


def _fix(place: Place, access: Access) -> str:
    patterns = [f"'{NAMES}'" if one is access else f"'<{one} as now>'" for one in Access]
    return (
        f"rabbitmqctl set_permissions -p {quote(place.vhost)} {quote(place.user)} {' '.join(patterns)} "
        f"(what it has now: rabbitmqctl list_user_permissions {quote(place.user)})"
    )
