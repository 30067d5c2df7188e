"""Which worker consumes which mailbox, decided by each worker for itself.

Every worker ranks all workers of a type for each of its mailboxes in the same way
(rendezvous hashing, Thaler and Ravishankar 1998), and gives each mailbox to the first that
has not its even share yet. That one owns it, and whoever would own it without that one stands
by, so that the broker has somebody to give it to in the moment the owner dies. When a worker
comes or goes, few mailboxes move beside those it wins or loses.

Invariants: of the mailboxes shared out together nobody owns two more than anybody else. Nobody
stops consuming a mailbox before the one who is to have it, by what it knows, consumes it, too, so at
every moment of an orderly move somebody does. When several come or go within a beat, what two workers
know may differ; if both give a mailbox up to each other, its messages wait for the next beat.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import Final

from broker_actors.core.member import LEASE_SECONDS, Member

#: The owner, and one who stands by.
CONSUMERS: Final = 2


class Step(Enum):
    """What a worker does about one mailbox now."""

    STAY = "stay"
    OPEN = "open"
    #: Finish what runs, then stop consuming.
    CLOSE = "close"
    #: The same, then consume again, behind the owner.
    YIELD = "yield"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a worker stands to one mailbox.

    Attributes:
        consuming: it has a consumer there.
        served: the broker has given that consumer messages, so it is the active one.
        certain: the owner that says to consume it lives, and is there to take over; see `is_certain`.
        settled: nothing of it has been running for long, so that it can be given away at once.

    """

    consuming: bool = False
    served: bool = False
    certain: bool = True
    settled: bool = True


def is_certain(served_seconds: float, owner_said_seconds: float, asked_seconds: float) -> bool:
    """Return whether an owner that says to consume a mailbox is there to take it over.

    Who is served although the owner consumes may be served because the owner is dead, and
    not yet known to be. It lived if it said so after that, or is still seen a lease later.

    Args:
        served_seconds: since when this worker is served.
        owner_said_seconds: after when the owner has said to consume the mailbox: the last look without it.
        asked_seconds: when the store was asked who is there, on the same clock: its answer may be late.

    """
    return owner_said_seconds > served_seconds or asked_seconds - served_seconds > LEASE_SECONDS


def rankings(mailboxes: Iterable[str], names: Collection[str]) -> dict[str, list[str]]:
    """Return *names* by mailbox: who owns it first, then who stands by, then the others.

    The same for every order of *mailboxes* and of *names*.

    Args:
        mailboxes: those shared out evenly, together: all shared ones of a type, or a single dedicated one.
        names: who may own them.

    """
    ranked = _ranked(sorted(mailboxes), names)
    owners = _owners(ranked, names)
    wanted = {mailbox: [owners[mailbox]] if owners else [] for mailbox in ranked}
    for gone in set(owners.values()):
        for mailbox, heir in _owners(ranked, set(names) - {gone}).items():
            if owners[mailbox] == gone:
                wanted[mailbox].append(heir)
    return {
        mailbox: first + [name for name in ranked[mailbox] if name not in first]
        for mailbox, first in wanted.items()
    }


def candidates(actor_type: str, members: Iterable[Member]) -> list[str]:
    """Return who of *members* may own mailboxes of *actor_type*."""
    return [member.name for member in members if actor_type in member.types and not member.leaving]


def next_step(me: str, ranked: Sequence[str], consumers: Collection[str], standing: Standing) -> Step:
    """Return what *me* does about a mailbox.

    Args:
        me: the worker that asks.
        ranked: who may own the mailbox, best first.
        consumers: who says to consume it, by the latest word of each.
        standing: how *me* stands to it.

    """
    wanted = ranked[:CONSUMERS]
    if not standing.consuming:
        return Step.OPEN if me in wanted else Step.STAY
    owner = ranked[0] if ranked else me
    if me == owner or owner not in consumers or not standing.settled:
        return Step.STAY
    if standing.served and not standing.certain:
        # Nobody else may be left: the last word of the dead counts for up to a lease.
        return Step.STAY
    if me not in wanted:
        return Step.CLOSE
    # The broker gives a mailbox on to whoever waits longest: first everybody leaves who should not wait.
    if standing.served and not set(consumers) - {me, *wanted}:
        return Step.YIELD
    return Step.STAY


def _owners(ranked: Mapping[str, Sequence[str]], names: Collection[str]) -> dict[str, str]:
    """Return by mailbox the best ranked of *names* that has not its even share yet; nothing without names."""
    if not names:
        return {}
    share, more = divmod(len(ranked), len(names))
    room, owners = dict.fromkeys(names, share), dict[str, str]()
    for mailbox, best_first in ranked.items():
        for name in best_first:
            left = room.get(name, -1)
            # What does not divide goes to whoever is first to be the best for one more.
            if left > 0 or (left == 0 and more > 0):
                owners[mailbox] = name
                room[name] = left - 1
                more -= left == 0
                break
    return owners


def _ranked(mailboxes: Iterable[str], names: Collection[str]) -> dict[str, list[str]]:
    """Return *names* by mailbox, ranked for each of them as if it were the only one."""
    # 1,024 mailboxes and 50 workers are 51,200 weights: each goes on where the hash of its name ended.
    begun = {name: blake2b(f"{len(name)}:{name}".encode(), digest_size=8) for name in names}

    def weight(mailbox: bytes, name: str) -> tuple[bytes, str]:
        hashed = begun[name].copy()
        hashed.update(mailbox)
        return hashed.digest(), name

    return {
        mailbox: sorted(names, key=partial(weight, mailbox.encode()), reverse=True) for mailbox in mailboxes
    }
