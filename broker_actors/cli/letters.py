"""Reading a queue of dead letters that others read and fill too.

Invariant: only what is taken on purpose is acknowledged; closing the consumer returns
everything else to the head of the queue, in order. While a reader is open, others do not
see what it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from broker_actors.core import dead, history, topology
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import UnknownActorTypeError, UnroutableError
from broker_actors.ports.clock import Clock
from broker_actors.ports.transport import Delivery, Transport

#: As many as the protocol allows; what lies behind them is out of sight.
LETTERS_MAX: Final = 65_535
#: A consumer is not told that a queue has ended, so a pause this long is the end.
QUIET_SECONDS: Final = 1.0
#: How long `take` holds the letters of others at a time, at least; at most twice that.
HOLD_SECONDS: Final = 0.5

_Found: TypeAlias = asyncio.Queue[tuple[DeadLetter, Delivery]]
Matches: TypeAlias = Callable[[DeadLetter], bool]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed run of a message that became a dead letter."""

    number: int
    after_seconds: float
    error: str


def attempts_of(letter: DeadLetter) -> list[Attempt]:
    """Return what every run of *letter* failed with, and how long after the first one."""
    found: list[Attempt] = []
    first_ms: int | None = None
    for entry in history.read(letter.history):
        match entry:
            case {"attempt": int(number), "at_ms": int(at_ms), "error": str(error)}:
                first_ms = at_ms if first_ms is None else first_ms
                found.append(Attempt(number, (at_ms - first_ms) / 1000, error))
            case _:
                continue
    return found


async def browse(
    transport: Transport, actor_type: str, *, limit: int, until: Matches = lambda _letter: False
) -> list[DeadLetter]:
    """Return the oldest dead letters of *actor_type* and leave them where they are.

    Copies of one letter are returned once.

    Args:
        transport: the broker.
        actor_type: whose letters.
        limit: read at most so many, 1 to 65,535.
        until: stop at a letter for which it is true.

    Raises:
        UnknownActorTypeError: the type has no queue of dead letters on this broker.
        BrokerUnavailableError: no connection within the deadline.

    """
    letters: dict[str, DeadLetter] = {}
    async with _reading(transport, actor_type, limit) as found:
        for _ in range(limit):
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    letter, _delivery = await found.get()
            except TimeoutError:
                break
            letters.setdefault(letter.id, letter)
            if until(letter):
                break
    return list(letters.values())


async def take(transport: Transport, actor_type: str, is_mine: Matches, clock: Clock) -> DeadLetter:
    """Wait for the dead letter that is mine, remove it from the queue and return it.

    Two readers that wait would each hold what the other one waits for; so the letters of
    others are given back every now and then, at random, and looked at again. The caller
    sets the deadline.

    Raises:
        UnknownActorTypeError: the type has no queue of dead letters on this broker.
        BrokerUnavailableError: no connection within the deadline.

    """
    while True:
        async with _reading(transport, actor_type, LETTERS_MAX) as found:
            try:
                async with asyncio.timeout(HOLD_SECONDS * (1 + clock.chance())):
                    return await _taken(found, is_mine)
            except TimeoutError:
                continue


async def _taken(found: _Found, is_mine: Matches) -> DeadLetter:
    while True:
        letter, delivery = await found.get()
        if is_mine(letter):
            delivery.ack()
            return letter


@asynccontextmanager
async def _reading(transport: Transport, actor_type: str, limit: int) -> AsyncGenerator[_Found]:
    found: _Found = asyncio.Queue()
    try:
        consumer = await transport.consume(
            topology.dead_queue(actor_type),
            lambda delivery: found.put_nowait((dead.read(delivery.message), delivery)),
            prefetch=limit,
        )
    except UnroutableError as error:
        text = f"no dead letters of {actor_type}: nobody has declared that type on this broker"
        raise UnknownActorTypeError(text) from error
    try:
        yield found
    finally:
        await consumer.close()
