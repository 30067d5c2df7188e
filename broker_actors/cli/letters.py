"""Reading a queue of dead letters that others read and fill too.

Invariants: only what is taken on purpose is acknowledged; closing the consumer returns
everything else to the head of the queue, in order. Every reader has the same window, for one with
a smaller window would give letters back behind those that were given back before. While a
reader is open, others do not see what it holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Self, TypeAlias

from broker_actors.core import dead, topology
from broker_actors.core.address import check_type
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import BrokerUnavailableError, UnknownActorTypeError, UnroutableError
from broker_actors.ports.clock import Clock
from broker_actors.ports.transport import Delivery, Depth, Transport

#: As many as the protocol allows; what lies behind them is out of sight.
LETTERS_MAX: Final = 65_535
#: A consumer is not told that a queue has ended. It is known how many letters there are; a pause this long
#: means that somebody else has got the rest.
QUIET_SECONDS: Final = 3.0
#: How long a reader that has just ended may take to give its letters back.
GIVE_BACK_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 0.05
#: How long `take` holds the letters of others at a time, at least; at most twice that.
HOLD_SECONDS: Final = 0.5

Matches: TypeAlias = Callable[[DeadLetter], bool]
#: Shows a line to whoever waits.
Tell: TypeAlias = Callable[[str], None]


def queue_of(actor_type: str) -> str:
    """Return the queue with the letters of *actor_type*, or of the broker if that is `by-broker`.

    Raises:
        ConfigurationError: *actor_type* is neither.

    """
    return topology.DEAD if actor_type == topology.BROKER_KEY else topology.dead_queue(check_type(actor_type))


class _Reader:
    """Takes in what a consumer of a dead letter queue brings."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[DeadLetter, Delivery]] = deque()
        self._changed = asyncio.Event()
        self._why_ended = ""

    def receive(self, delivery: Delivery) -> None:
        """Take *delivery* in."""
        self._arrived.append((dead.read(delivery.message), delivery))
        self._changed.set()

    def ended(self, closing: asyncio.Task[str]) -> None:
        """Take note that the broker has the letters back."""
        if not closing.cancelled():
            self._why_ended = closing.result()
            self._changed.set()

    async def next(self) -> tuple[DeadLetter, Delivery]:
        """Return the next letter when there is one. The caller sets the deadline.

        Raises:
            BrokerUnavailableError: the broker has the letters back.

        """
        while not self._arrived and not self._why_ended:
            self._changed.clear()
            await self._changed.wait()
        if self._why_ended:
            # Those that arrived, too: acknowledging them would do nothing.
            text = f"the letters are back in their queue, run it again: {self._why_ended}"
            raise BrokerUnavailableError(text)
        return self._arrived.popleft()


class Lying:
    """The letters that lay in a queue when the reader opened, oldest first.

    What arrives later is not among them: a letter that is sent again and dies again is not met
    a second time.

    Attributes:
        unseen: how many of them were not handed out yet; or never, if somebody else has got them.

    """

    def __init__(self, reader: _Reader, count: int) -> None:
        self.unseen = count
        self._reader = reader

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> tuple[DeadLetter, Delivery]:
        """Return the next letter.

        Raises:
            StopAsyncIteration: there is none, or somebody else has got it.
            BrokerUnavailableError: the broker has the letters back.

        """
        if not self.unseen:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                found = await self._reader.next()
        except TimeoutError:
            raise StopAsyncIteration from None
        self.unseen -= 1
        return found


@asynccontextmanager
async def lying(
    transport: Transport, actor_type: str, tell: Tell = lambda _text: None
) -> AsyncGenerator[Lying]:
    """Hold the letters of *actor_type* that lie in their queue now, as many as can be in sight.

    Args:
        transport: the broker.
        actor_type: whose letters.
        tell: told when somebody else reads the queue, too.

    Raises:
        UnknownActorTypeError: the type has no queue of dead letters on this broker.
        BrokerUnavailableError: no connection within the deadline.

    """
    with _advised(actor_type):
        depth = await _undisturbed(transport, queue_of(actor_type))
    if depth.consumers:
        tell("somebody else reads these letters, too: those they hold are not seen here")
    async with _reading(transport, actor_type) as reader:
        yield Lying(reader, depth.ready)


async def browse(
    transport: Transport,
    actor_type: str,
    *,
    limit: int,
    matches: Matches = lambda _letter: True,
    tell: Tell = lambda _text: None,
) -> list[DeadLetter]:
    """Return the oldest dead letters of *actor_type* and leave them where they are.

    Copies of one letter are returned once.

    Args:
        transport: the broker.
        actor_type: whose letters.
        limit: how many at most.
        matches: which letters.
        tell: see `lying`.

    Raises:
        UnknownActorTypeError: the type has no queue of dead letters on this broker.
        BrokerUnavailableError: no connection within the deadline.

    """
    letters: dict[str, DeadLetter] = {}
    async with lying(transport, actor_type, tell) as found:
        async for letter, _delivery in found:
            if matches(letter):
                letters.setdefault(letter.id, letter)
            if len(letters) >= limit:
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
        async with _reading(transport, actor_type) as reader:
            try:
                async with asyncio.timeout(HOLD_SECONDS * (1 + clock.chance())):
                    return await _taken(reader, is_mine)
            except TimeoutError:
                continue


async def _taken(reader: _Reader, is_mine: Matches) -> DeadLetter:
    while True:
        letter, delivery = await reader.next()
        if is_mine(letter):
            delivery.ack()
            return letter


@asynccontextmanager
async def _reading(transport: Transport, actor_type: str) -> AsyncGenerator[_Reader]:
    reader = _Reader()
    with _advised(actor_type):
        consumer = await transport.consume(queue_of(actor_type), reader.receive, prefetch=LETTERS_MAX)
    closing = asyncio.ensure_future(consumer.closed())
    closing.add_done_callback(reader.ended)
    try:
        yield reader
    finally:
        closing.cancel()
        await consumer.close()


async def _undisturbed(transport: Transport, queue: str) -> Depth:
    """Return how *queue* stands when nobody reads it, or all the same after a while."""
    waited_seconds = 0.0
    while (depth := await transport.depth(queue)).consumers and waited_seconds < GIVE_BACK_SECONDS:
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        waited_seconds += _LOOK_AGAIN_SECONDS
    return depth


@contextmanager
def _advised(actor_type: str) -> Generator[None]:
    try:
        yield
    except UnroutableError as error:
        text = f"no dead letters of {actor_type}: nobody has declared that type on this broker"
        raise UnknownActorTypeError(text) from error
