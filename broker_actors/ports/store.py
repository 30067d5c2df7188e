"""The store: actor state, keyed dedup records, outboxes and recorded layouts.

The guarantee everything rests on: `commit` is atomic, fenced and idempotent. State,
dedup record, reply and outbox change together, only for the holder of the newest claim
at the version it last saw, and only once per nonce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.light import dataclass, field
from broker_actors.core.reply import Reply
from broker_actors.core.suspension import Suspension
from broker_actors.core.topology import Layout
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.commit import Claim, Commit, OutboxKey
from broker_actors.ports.listing import Summary
from broker_actors.ports.origins import Origins
from broker_actors.ports.parking import Parkings, ParkingSize
from broker_actors.ports.reminders import Reminders
from broker_actors.ports.schedules import Schedules
from broker_actors.ports.suspensions import Suspensions

#: Dedicated mailboxes of one type: each costs the broker a queue, and every worker of the type a consumer.
SPAWNED_MAX: Final = 10_000
#: A suspect that was not delivered again for this long is none any more.
CHARGES_KEPT_SECONDS: Final = 86_400
CHARGES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An actor as the store holds it, for people who look.

    Attributes:
        address: the actor.
        epoch: that of its newest claim; by its making about the Unix milliseconds of that claim.
        version: commits so far.
        state: the last committed state; None if it never had one.
        outbox: what is undispatched, in order.
        parked: how much its parking holds.
        suspension: why it is suspended; None if it is not.
    """

    address: Address
    epoch: int
    version: int
    state: bytes | None
    outbox: Mapping[OutboxKey, bytes]
    parked: ParkingSize = field(default_factory=ParkingSize)
    suspension: Suspension | None = None


def too_many_spawned(address: Address, bound: int) -> str:
    """Return why *address* cannot be spawned when its type has *bound* others."""
    return f"{address}: more than {bound:,} dedicated actors of one type: use shared mailboxes"


class Store(Parkings, Suspensions, Schedules, Reminders, Origins, Protocol):
    """The durable memory of the actors."""

    async def layout(self, wanted: Layout) -> Layout:
        """Record *wanted* if its type has none yet; return what is recorded.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def recorded_layout(self, actor_type: str) -> Layout | None:
        """Return the recorded layout of *actor_type*, or None.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def types(self) -> Sequence[str]:
        """Return every actor type that has a recorded layout, sorted.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def spawn(self, address: Address) -> None:
        """Record that *address* has a dedicated mailbox. Idempotent.

        Dedicated mailboxes are for named singletons: every worker of the type consumes them all.

        Raises:
            MailboxFullError: its type has `SPAWNED_MAX` others already; this one is not recorded.
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def spawned(self, actor_type: str) -> Sequence[str]:
        """Return the ids of *actor_type* that have a dedicated mailbox, sorted; all of them, by the bound.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def claim(self, address: Address, nonce: str) -> Claim:
        """Take the actor: every older claim is fenced from now on.

        The first claim under another run of the store lets it number what it sends as a new sender.

        Raises:
            StoreUnavailableError: no answer within the deadline; the claim may have happened.
        """
        ...

    async def look_up(self, address: Address, key: str, digest: bytes) -> Fresh | Duplicate | Conflict:
        """Return whether the keyed envelope has run, with its recorded reply if so.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def accepted(self, address: Address, sender: str) -> Accepted | None:
        """Return what *address* has accepted of *sender*; None if it never heard of it.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def answered(self, address: Address, sender: str, seq: int) -> Reply | None:
        """Return what the numbered ask was answered; None if nothing, or if that was given up.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def sections(self, address: Address, turn: str) -> int:
        """Return the number of the last durable section of *turn*; 0 for none, or if the turn is over.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def commit(self, commit: Commit) -> Committed | Fenced:
        """Write *commit* if its claim is the newest and its version the current one.

        Writing anything (state, record, outbox, acceptance, parking, suspension, section) raises the version
        by one: the next commit under this claim starts from `commit.version + 1`, which is also the version
        in the keys of the outbox items written. A commit with nothing to write is a fence check and
        leaves the version; like any other, it is fenced at a stale version.
        A store whose version is below the claim's has lost commits it had answered.

        A numbered item is kept with its mark before it, and the marks are in the answer. A number
        is used once, whatever becomes of the item. A record under the key of a tell that was cancelled
        is fenced, and so is one under a key that another call has used up meanwhile, unless it replaces.

        A store that has the reply channels, too, gives the caller its reply, and says so. If it does not
        say so the caller may have it all the same. Nobody has a reply to what was fenced.

        Sending the same commit again after a lost answer, before the next one, returns what
        it returned, or would have; sent again later it is fenced. Commits of one loop pass leave together.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        ...

    async def dispatched(self, address: Address, keys: Sequence[OutboxKey]) -> None:
        """Forget outbox items the broker has confirmed. Unknown ones are ignored.

        Raises:
            StoreUnavailableError: no answer within the deadline; they may be dispatched again.

        """
        ...

    async def undispatched(self, actor_type: str, *, older_than_seconds: float) -> Sequence[Address]:
        """Return actors of *actor_type* whose outbox has held items for that long; at most 1,000.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def outbox(self, address: Address) -> Mapping[OutboxKey, bytes]:
        """Return what is undispatched, in order.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def charge(self, address: Address, identity: str, *, at_most: int = CHARGES_MAX) -> int:
        """Count one more run of a suspect: an envelope whose last holder died with it in hand.

        The count is forgotten `CHARGES_KEPT_SECONDS` after the last charge.

        Args:
            address: the actor.
            identity: what tells the envelope from all others of the actor.
            at_most: runs that may begin and not be discharged; one more is not counted.

        Returns:
            How many runs of it have begun and not been discharged, this one included; it must
            not begin, and is not counted, when that is more than *at_most*. Not idempotent:
            a charge sent again after a lost answer may count twice.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have been counted.

        """
        ...

    async def discharge(self, address: Address, identity: str, *, keep: int = 0) -> None:
        """Forget the charges of an envelope, but for *keep* of them. Idempotent.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def actors(self, actor_type: str, *, after: str = "", limit: int = 1_000) -> Sequence[Summary]:
        """Return the next actors of *actor_type* that were ever claimed, by bucket, then by id.

        The order never changes, so that going on after the last one seen misses none and
        shows none twice; one claimed for the first time meanwhile may be before or after it.

        Args:
            actor_type: the type.
            after: the id of the last one already seen; empty to begin.
            limit: how many at most, 1 to `looking.PAGE_MAX`; fewer than that mean the end.

        Raises:
            ConfigurationError: the limit is out of bounds.
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def peek(self, address: Address) -> Snapshot | None:
        """Return *address* as it is, without claiming it; None if it was never claimed.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def close(self) -> None:
        """Give up the connections. Idempotent."""
        ...
