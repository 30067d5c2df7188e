"""A worker among workers: says that it lives, sees who else does, moves mailboxes accordingly.

Invariant: with the store away nothing moves. What was agreed last stays, the broker's
single active consumer and the fencing of the store keep it safe, and for one lease after
the store is back nobody is taken for dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.member import LEASE_SECONDS, Member, Report
from broker_actors.core.sharing import Standing, Step, candidates, is_certain, next_step, rankings
from broker_actors.ports.clock import Clock
from broker_actors.ports.members import Members
from broker_actors.ports.observer import Observer
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.mailboxes import Mailboxes, Tenant

#: A beat may fail this long before the worker calls itself not ready.
SILENT_SECONDS_MAX: Final = LEASE_SECONDS
#: A mailbox with a turn that has run this long is not moved now: the turn would be cut off and run again.
LONG_TURN_SECONDS: Final = 1.0
#: Unless that goes on for this long.
PUT_OFF_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Group:
    """Mailboxes that are shared out together."""

    mailboxes: Sequence[str]
    actor_type: str
    tenant: Tenant


class Sharing:
    """The mailboxes this worker may have a share of."""

    def __init__(self, me: Member, members: Members, mailboxes: Mailboxes, clock: Clock) -> None:
        self._me = me
        self._members = members
        self._mailboxes = mailboxes
        self._clock = clock
        #: By mailbox, what it is shared out with.
        self._shared: dict[str, _Group] = {}
        self._living: Mapping[str, Member] = {}
        self._rankings: dict[str, list[str]] = {}
        #: By mailbox, its owner and after when that one has said to consume it: the last look before it had.
        self._seen: dict[str, tuple[str, float]] = {}
        #: Mailboxes with a turn that runs for long, and since when they have one.
        self._unsettled: dict[str, float] = {}
        #: Until then those who do not answer after an outage of the store still count.
        self._patient_until_seconds = 0.0
        self._heard_seconds = clock.monotonic_seconds()
        #: When it looked at who is there before the last time.
        self._looked_seconds = self._heard_seconds
        self._trouble = ""

    def reached_by(self, channel: str) -> None:
        """Have the others know by which channel this worker hears of calls that were given up."""
        self._me = replace(self._me, channel=channel)

    def share(self, mailboxes: Sequence[str], actor_type: str, tenant: Tenant) -> None:
        """Have *mailboxes*, which are shared out together, consumed by whoever should, of all workers.

        Every worker must share the same ones together: all shared ones of a type, or one dedicated one alone.
        """
        group = _Group(mailboxes, actor_type, tenant)
        for mailbox in mailboxes:
            self._shared.setdefault(mailbox, group)

    def is_owner(self, mailbox: str) -> bool:
        """Return whether *mailbox* is this worker's, by what it knows."""
        ranked = self._ranked(mailbox)
        return bool(ranked) and ranked[0] == self._me.name

    @property
    def silent(self) -> str:
        """Why the store has not heard of this worker for too long; empty if it has."""
        silent_seconds = self._clock.monotonic_seconds() - self._heard_seconds
        if silent_seconds <= SILENT_SECONDS_MAX:
            return ""
        why = self._trouble or "the last beat is still under way"
        return f"the store has not answered for {silent_seconds:.0f} s: {why}"

    async def beat(self, report: Report, observer: Observer, health: str = "") -> None:
        """Say that this worker lives, and move what should move. Never raises for a store that is away.

        Args:
            report: how it is doing.
            observer: told when the store is away.
            health: why it does not do its work; empty if it does.

        """
        me, asked_seconds = (
            replace(self._me, consuming=self._consuming(), health=health),
            self._clock.monotonic_seconds(),
        )
        try:
            living = await self._members.beat(me, report)
        except PlatformError as error:
            if not self._trouble:
                observer.observe(Trouble("membership", f"mailboxes stay where they are: {error}"))
            self._trouble = str(error)
            return
        self._heard(living)
        for mailbox in self._shared:
            self._move(mailbox, asked_seconds)
        self._looked_seconds = asked_seconds

    async def leave(self, observer: Observer) -> None:
        """Have the others take over what they can: each mailbox moves as soon as its own turns have ended."""
        self._me = replace(self._me, leaving=True)
        await self.beat(Report(), observer)

    async def left(self) -> None:
        """End this worker's lease; raises what the store raises."""
        await self._members.leave(self._me.name)

    def _heard(self, living: Sequence[Member]) -> None:
        now_seconds = self._clock.monotonic_seconds()
        if self._trouble:
            self._trouble = ""
            self._patient_until_seconds = now_seconds + LEASE_SECONDS
        self._heard_seconds = now_seconds
        heard = {member.name: member for member in living}
        if now_seconds < self._patient_until_seconds:
            heard = {**self._living, **heard}
        if _staying(heard) != _staying(self._living):
            self._rankings.clear()
        self._living = heard

    def _consuming(self) -> frozenset[str]:
        open_ones = {subscription.mailbox for subscription in self._mailboxes.subscriptions}
        return frozenset(open_ones & self._shared.keys())

    def _ranked(self, mailbox: str) -> list[str]:
        ranked = self._rankings.get(mailbox)
        if ranked is None:
            group = self._shared[mailbox]
            names = candidates(group.actor_type, self._living.values())
            self._rankings |= rankings(group.mailboxes, names)
            ranked = self._rankings[mailbox]
        return ranked

    def _move(self, mailbox: str, asked_seconds: float) -> None:
        consumers = {member.name for member in self._living.values() if mailbox in member.consuming}
        ranked = self._ranked(mailbox)
        owner = ranked[0] if ranked and ranked[0] in consumers else ""
        standing = self._standing(mailbox, owner, asked_seconds)
        match next_step(self._me.name, ranked, consumers, standing):
            case Step.OPEN:
                group = self._shared[mailbox]
                self._mailboxes.open(mailbox, group.actor_type, group.tenant)
            case Step.CLOSE:
                self._mailboxes.hand_over(mailbox, stays=False, draining=self._me.leaving)
            case Step.YIELD:
                self._mailboxes.hand_over(mailbox, stays=True)
            case Step.STAY:
                return

    def _standing(self, mailbox: str, owner: str, asked_seconds: float) -> Standing:
        """Return how this worker stands to *mailbox*, whose *owner*, if any, says to consume it."""
        seen, seen_seconds = self._seen.get(mailbox, ("", 0.0))
        if not owner:
            self._seen.pop(mailbox, None)
        elif seen != owner:
            self._seen[mailbox], seen_seconds = (owner, self._looked_seconds), self._looked_seconds
        subscription = self._mailboxes.subscription(mailbox)
        if subscription is None:
            return Standing(consuming=mailbox in self._mailboxes)
        return Standing(
            consuming=True,
            served=subscription.is_served,
            certain=is_certain(subscription.served_seconds, seen_seconds, asked_seconds),
            settled=self._is_settled(mailbox, subscription),
        )

    def _is_settled(self, mailbox: str, subscription: Subscription) -> bool:
        """Return whether giving *mailbox* away would cut nothing off, or has been put off for long enough."""
        now_seconds = self._clock.monotonic_seconds()
        oldest_seconds = subscription.oldest_seconds
        if self._me.leaving or oldest_seconds is None or now_seconds - oldest_seconds < LONG_TURN_SECONDS:
            self._unsettled.pop(mailbox, None)
            return True
        return now_seconds - self._unsettled.setdefault(mailbox, now_seconds) > PUT_OFF_SECONDS_MAX


def _staying(living: Mapping[str, Member]) -> dict[str, frozenset[str]]:
    """Return what each of *living* runs that stays: all that rankings depend on."""
    return {member.name: member.types for member in living.values() if not member.leaving}
