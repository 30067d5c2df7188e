"""How a commit numbers what a turn sends: the store gives the numbers, for it knows the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Targets of one actor whose numbers are remembered; with more it becomes a new sender.
TARGETS_MAX: Final = 10_000

#: Items of one commit: far more than there is room for.
ITEMS_MAX: Final = 10_000


def item_index(epoch: int, place: int) -> int:
    """Return the index of the item at *place* of a commit, from 0, under the claim with *epoch*.

    A store that has gone back comes to the same version again. Who has sent what was lost with
    the first one must not clear, by its name, what is to be sent of the second one.
    """
    return epoch * ITEMS_MAX + place


@dataclass(frozen=True, slots=True)
class OutboxNumbers:
    """How a commit numbers its outbox items: densely per target, from 1 for each sender incarnation.

    The actor's incarnation and the last number of each target are kept with its state. It becomes
    a new sender, which numbers from 1, with its first number, when it remembers `TARGETS_MAX` targets,
    and when it is told to.

    Attributes:
        incarnation: what a new sender is called; hexadecimal.
        targets: whom each item of the outbox is for; empty for one that is not numbered.
        renew: whether it must become a new sender.

    """

    incarnation: str
    targets: Sequence[str] = ()
    renew: bool = False
