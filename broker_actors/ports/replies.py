"""Reply channels: one per client process, shared by all its asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from broker_actors.core.reply import Reply

#: Called with the correlation id and the reply; also for late, unknown and forged ones.
OnReply: TypeAlias = Callable[[str, Reply], None]
#: Called after the channel was found gone and made anew: replies may have been lost with it.
OnLoss: TypeAlias = Callable[[], None]


class ReplyChannel(Protocol):
    """The receiving end."""

    @property
    def name(self) -> str:
        """What goes into `reply_to`."""
        ...

    async def close(self) -> None:
        """Stop receiving and delete the channel. Idempotent."""
        ...


class Replies(Protocol):
    """Sends and receives replies."""

    async def send(self, reply_to: str, correlation_id: str, reply: Reply) -> bool:
        """Deliver *reply*. Return False if the channel is gone, which means the caller is.

        Replies of one loop pass leave together, in order. One may arrive twice: after a lost
        answer it is sent again.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have arrived.

        """
        ...

    async def open(self, name: str, on_reply: OnReply, on_loss: OnLoss) -> ReplyChannel:
        """Open the channel *name* and receive from it until closed, across reconnects.

        Raises:
            StoreUnavailableError: no connection within the deadline.

        """
        ...

    async def close(self) -> None:
        """Close every channel and give up the connections. Idempotent."""
        ...
