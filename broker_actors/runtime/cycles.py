"""Sections that could never begin: the lane they wait for is held by whoever waits for them.

A chain names actors and not turns, and an interleaved turn in it holds no lane. But all turns
of an actor run in one process, so who of them is meant is known there. Invariant: a cycle is
only reported where no other turn can be the one in the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from broker_actors.core.address import Address

Chain = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanting:
    """A turn that wants a section.

    Attributes:
        address: its actor.
        chain: the actors that wait for it, outermost first.
        call_id: its call, if it is a stream.

    """

    address: Address
    chain: Chain
    call_id: str


class Caller(Protocol):
    """A turn of the same actor."""

    @property
    def chain(self) -> Chain:
        """The actors that wait for it."""
        ...

    def reads(self, call_id: str) -> bool:
        """Return whether it reads the stream of *call_id* itself."""
        ...


def waits_for(holder: Caller, others: Iterable[Caller], wanting: Wanting) -> bool:
    """Return whether *holder*, which holds the lane, waits for *wanting*.

    Args:
        holder: whose lane it is now.
        others: the turns of the actor that run beside it.
        wanting: wants the lane.

    """
    if holder.reads(wanting.call_id):
        return True
    before = len(holder.chain)
    # A direct reader would have been found: here is about those with others in between.
    is_in_chain = wanting.chain[: before + 1] == (*holder.chain, str(wanting.address))
    if not is_in_chain or len(wanting.chain) == before + 1:
        return False
    return all(other.chain != holder.chain for other in others)
