"""Chunk streams: one per streaming call, kept in the store for as long as somebody may read it.

The consumer makes the stream before it sends the call, reads it, and by reading grants
credit; the producer adds chunks under its claim. Everything is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol, TypeAlias

from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import Chunk
from broker_actors.ports.control import Listener

#: A consumer not heard of for so long is gone.
LEASE_SECONDS: Final = 10.0
#: How long a stream outlives whatever was last done with it.
KEPT_SECONDS: Final = 600
#: The same, once its consumer has left it.
LEFT_SECONDS: Final = 60


class Opened(Enum):
    """Whether a stream was there before."""

    #: No: its first chunk is signalled.
    NEW = auto()
    #: Perhaps: whoever wants its chunks takes them.
    KNOWN = auto()


class Refusal(Enum):
    """Why the store did not do what it was asked."""

    #: There is no such stream, or no more.
    GONE = auto()
    #: Somebody else holds the actor, or produces, or consumes this stream.
    FENCED = auto()
    #: The call was made before with another method or body.
    CONFLICT = auto()
    #: The stream has its END or ERROR.
    ENDED = auto()
    #: What was asked for has been dropped.
    DROPPED = auto()


@dataclass(frozen=True, slots=True)
class Producer:
    """Who adds chunks.

    Attributes:
        epoch: that of its claim; 0 for an actor without one.
        nonce: that of its claim; empty for an actor without one.
        listener: where it is signalled; its token tells it from every other run.
        caller: the channel of who made the call; if the consumer waits for a chunk and listens there, it is
            signalled in the write that adds one, if this store can, and a small one goes along. Empty for
            nobody.

    """

    epoch: int
    nonce: str
    listener: Listener
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with the consumer.

    Attributes:
        consumed: up to which chunk it is done.
        cancelled: whether it has given up.
        silent: whether its lease has ended.
        wake: whom to signal, for it waits for a chunk and was not signalled yet; None for nobody.

    """

    consumed: int
    cancelled: bool
    silent: bool
    wake: Listener | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A run may produce.

    Attributes:
        written: chunks earlier runs have written.
        digests: of the last of them, in order.
        standing: how it stands with the consumer.

    """

    written: int
    digests: Sequence[bytes]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Taken:
    """What a consumer gets.

    Attributes:
        chunks: the next ones, in order; none when there are none yet.
        wake: whom to signal, for it waits for credit; None for nobody.

    """

    chunks: Sequence[Chunk]
    wake: Listener | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """A chunk to add.

    Attributes:
        seq: its number, from 1.
        digest: of the stream with it; empty for the last one.
        chunk: the chunk itself.
        ends: whether it is the last one.

    """

    seq: int
    digest: bytes
    chunk: Chunk
    ends: bool = False


Open: TypeAlias = Opened | Refusal
Begin: TypeAlias = Begun | Refusal
Take: TypeAlias = Taken | Refusal
Append: TypeAlias = Standing | Refusal


class Streams(Protocol):
    """The chunk streams."""

    async def open(self, call: CallId, consumer: Listener, digest: bytes) -> Open:
        """Make the stream of *call*, or join the one there is: *consumer* is its only one from now on.

        Who makes it waits for its first chunk, as after a `take` that found none.

        Args:
            call: which call.
            consumer: who reads.
            digest: what two calls of one key must have in common; empty to join only.

        Returns:
            Whether it was there before; or CONFLICT, or GONE when there is none to join.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may be open.

        """
        ...

    async def take(self, call: CallId, consumer: Listener, after: int, at_most: int) -> Take:
        """Renew the lease, say that chunks up to *after* are consumed, return those that follow.

        Where none follows, the next chunk is signalled to *consumer*. With *at_most* 0 only the
        lease is renewed.

        Returns:
            The chunks; or GONE, FENCED by another consumer, DROPPED when they are no longer kept, or
            ENDED when the last chunk came before.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def leave(self, call: CallId, consumer: Listener) -> Listener | None:
        """Cancel the stream if it has not ended, unless there is another consumer. Idempotent.

        Returns:
            Whom to signal; None for nobody.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may be cancelled.

        """
        ...

    async def begin(self, call: CallId, producer: Producer) -> Begin:
        """Take the stream: every older producer is fenced from now on.

        Returns:
            What is written; or GONE, FENCED or ENDED.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have begun.

        """
        ...

    async def append(self, call: CallId, producer: Producer, addition: Addition) -> Append:
        """Add the chunk that follows the last one; chunks long consumed are dropped for it.

        Adding the same one again changes nothing.

        Returns:
            How it stands with the consumer; or GONE, FENCED or ENDED, and nothing was added.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may be added.

        """
        ...

    async def look(self, call: CallId, producer: Producer, wake_at: int) -> Append:
        """Return how it stands with the consumer; keep the stream.

        Args:
            call: which call.
            producer: who asks.
            wake_at: signal the producer when so many chunks are consumed; 0 for not at all.

        Returns:
            How it stands; or GONE or FENCED.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def close(self) -> None:
        """Give up the connections. Idempotent."""
        ...
