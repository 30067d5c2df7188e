"""Sending dead letters again.

Invariant: a letter is acknowledged after the broker has confirmed the message that it becomes,
and never otherwise. Whoever stops in between leaves both, and the next one sends a message with
the same idempotency key, which has no second effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from broker_actors.cli.letters import Lying, Matches, Tell
from broker_actors.core import dead
from broker_actors.core.dead import DeadLetter
from broker_actors.core.envelope import to_wire
from broker_actors.core.errors import BrokerUnavailableError, PlatformError, StoreUnavailableError
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.ports.clock import Clock

#: How often somebody who waits is told how far it is.
PROGRESS_SECONDS: Final = 5.0
#: These are about the servers and not about one letter.
_ENDING: Final = (BrokerUnavailableError, StoreUnavailableError)

#: Publishes and returns when it is confirmed.
Send: TypeAlias = Callable[[Outgoing], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What became of the letters that were looked at.

    Attributes:
        redriven: the ids of those sent again; or that would be, when nothing was to be done.
        refused: the ids of those that cannot be, with the reason; they stay.
        others: how many were not meant; they stay.
        unseen: how many could not be looked at; they stay.

    """

    redriven: list[str] = field(default_factory=list[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    others: int = 0
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be done.

    Attributes:
        matches: which letters are meant.
        send: how one is sent; None to find out only what would be.
        limit: how many letters at most.
        per_second: how many a second at most.
        tell: shown to somebody who waits.

    """

    matches: Matches
    send: Send | None
    limit: int
    per_second: float
    tell: Tell


async def send_again(letters: Lying, orders: Orders, clock: Clock) -> Outcome:
    """Send those of *letters* that are meant, one after the other, in their order.

    Raises:
        BrokerUnavailableError: the broker is away, or has taken the letters back.
        StoreUnavailableError: the store is away.

    """
    outcome = Outcome(unseen=letters.unseen)
    try:
        await _send_again(letters, orders, clock, outcome)
    except _ENDING as error:
        text = (
            f"{error} ({len(outcome.redriven)} letters were sent again before; run it again for the others)"
        )
        raise type(error)(text) from error
    return outcome


async def _send_again(letters: Lying, orders: Orders, clock: Clock, outcome: Outcome) -> None:
    started_seconds = told_seconds = clock.monotonic_seconds()
    tried = 0
    async for letter, delivery in letters:
        outcome.unseen = letters.unseen
        if not orders.matches(letter):
            outcome.others += 1
            continue
        if orders.send is not None:
            due_seconds = started_seconds + tried / orders.per_second
            await clock.sleep(due_seconds - clock.monotonic_seconds())
        tried += 1
        if await _sent(letter, orders.send, outcome) and orders.send is not None:
            delivery.ack()
        if tried >= orders.limit:
            return
        if clock.monotonic_seconds() - told_seconds > PROGRESS_SECONDS:
            told_seconds = clock.monotonic_seconds()
            orders.tell(f"{len(outcome.redriven)} redriven, {letters.unseen} to look at")


async def _sent(letter: DeadLetter, send: Send | None, outcome: Outcome) -> bool:
    """Send *letter*, take note of what became of it, and return whether it is to leave the queue."""
    try:
        message = to_wire(dead.redriven(letter))
        if send is not None:
            await send(Outgoing(Destination.MAILBOX, message))
    except _ENDING:
        raise
    except PlatformError as error:
        outcome.refused[letter.id] = str(error)
        return False
    outcome.redriven.append(letter.id)
    return True
