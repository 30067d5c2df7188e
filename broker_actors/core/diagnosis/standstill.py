"""Actors for which messages wait in the store, and not in their mailbox: why, and what to do about it.

Nobody sees them in the depth of a queue. Invariant: an actor is told of once, under the gravest reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.finding import Finding, Severity, some
from broker_actors.core.suspension import Cause, Suspension

SUSPENDED: Final = "actors.suspended"
BLOCKED: Final = "actors.blocked"
PARKED: Final = "actors.parked"


@dataclass(frozen=True, slots=True)
class Still:
    """An actor that is suspended, or has something parked.

    Attributes:
        address: the actor.
        entries: how many messages are parked.
        suspension: why it is suspended; None if it is not.
        method: what the first of the parked messages calls; empty for none, or one that cannot be read.
        attempt: which attempt that will be; above 1 if it has failed, and holds up the others.

    """

    address: Address
    entries: int
    suspension: Suspension | None = None
    method: str = ""
    attempt: int = 1

    @property
    def is_blocked(self) -> bool:
        """Whether a message that failed holds up what is parked."""
        return self.suspension is None and self.attempt > 1


def judge_standstill(found: Sequence[Still]) -> Iterator[Finding]:
    """Yield what there is to know, and to do, about *found*, which are of one type."""
    suspended = [one for one in found if one.suspension is not None]
    by_hand = [
        one for one in suspended if one.suspension is not None and one.suspension.cause == Cause.OPERATOR
    ]
    yield from _suspended([one for one in suspended if one not in by_hand], Severity.WARNING)
    yield from _suspended(by_hand, Severity.NOTE)
    yield from _blocked([one for one in found if one.is_blocked])
    yield from _parked(
        [one for one in found if one.suspension is None and not one.is_blocked and one.entries]
    )


def _suspended(found: Sequence[Still], severity: Severity) -> Iterator[Finding]:
    if not found:
        return
    whose = found[0].address
    names = some(f"{one.address.id} ({_why(one)})" for one in found)
    text = f"{_count(found)} suspended: {names}; {_waiting(found)}"
    fix = (
        f"mend the cause (all of them: broker-actors actors suspended {whose.type}), "
        f"then broker-actors actors resume {whose.type} {whose.id}"
    )
    yield Finding(SUSPENDED, severity, text, fix)


def _blocked(found: Sequence[Still]) -> Iterator[Finding]:
    if not found:
        return
    whose = found[0].address
    names = some(f"{one.address.id} ({one.method}, attempt {one.attempt} is next)" for one in found)
    text = f"{_count(found)} held up by a message that failed: {names}; {_waiting(found)}"
    fix = (
        f"see what it fails with (broker-actors actors show {whose.type} {whose.id}) and mend that: "
        "it is tried again by itself, and is a dead letter after its last attempt"
    )
    yield Finding(BLOCKED, Severity.WARNING, text, fix)


def _parked(found: Sequence[Still]) -> Iterator[Finding]:
    if not found:
        return
    names = some(one.address.id for one in found)
    text = f"{_count(found)} so busy that its messages are parked: {names}; {_waiting(found)}"
    fix = "nothing while they get fewer; else make its turns faster, or spread its messages over more ids"
    yield Finding(PARKED, Severity.NOTE, text, fix)


def _why(one: Still) -> str:
    assert one.suspension is not None
    return f"{one.suspension.cause}: {one.suspension.error}"


def _count(found: Sequence[Still]) -> str:
    name = found[0].address.type
    return f"1 actor of {name} is" if len(found) == 1 else f"{len(found)} actors of {name} are"


def _waiting(found: Sequence[Still]) -> str:
    waiting = sum(one.entries for one in found)
    return f"{waiting} {'message waits' if waiting == 1 else 'messages wait'} in the store"
