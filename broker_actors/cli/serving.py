"""Who serves a mailbox: nobody says so, but of those that consume it whoever ranks first should."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from broker_actors.core.member import Member
from broker_actors.core.sharing import candidates, rankings


def in_rank(mailboxes: Iterable[str], actor_type: str, members: Collection[Member]) -> dict[str, list[str]]:
    """Return by mailbox the names of *members*, who should serve it first; those that leave come last.

    Args:
        mailboxes: those of *actor_type* that are shared out together: see `rankings`.
        actor_type: whose they are.
        members: the workers there are.

    """
    staying = candidates(actor_type, members)
    others = sorted({member.name for member in members} - set(staying))
    return {mailbox: ranked + others for mailbox, ranked in rankings(mailboxes, staying).items()}
