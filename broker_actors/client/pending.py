"""The asks of this process that wait for their reply.

Invariant: an entry lives exactly as long as its caller waits, so that what arrives for
no entry is late, double or forged, and is only counted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from broker_actors.core.envelope import Envelope
from broker_actors.core.events import ReplyIgnored
from broker_actors.core.reply import Reply
from broker_actors.ports.observer import Observer


@dataclass(slots=True)
class Waiting:
    """One ask under way.

    Attributes:
        envelope: what is asked.
        reply: what comes of it.
        is_sent: whether the broker has taken it.
        is_lost: whether the reply channel was lost before the broker had taken it.

    """

    envelope: Envelope
    reply: asyncio.Future[Reply]
    is_sent: bool = False
    is_lost: bool = False


class Pending:
    """Asks under way by correlation id."""

    def __init__(self, observer: Observer) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._observer = observer

    def add(self, envelope: Envelope) -> asyncio.Future[Reply]:
        """Return the future of *envelope*'s reply."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[envelope.correlation_id] = Waiting(envelope, future)
        return future

    def remove(self, correlation_id: str) -> None:
        """Forget an ask whose caller no longer waits."""
        self._waiting.pop(correlation_id, None)

    def resolve(self, correlation_id: str, reply: Reply) -> None:
        """Give *reply* to whoever waits for it."""
        waiting = self._waiting.get(correlation_id)
        if waiting is None or waiting.reply.done():
            reason = "late or double" if correlation_id else "no correlation id"
            self._observer.observe(ReplyIgnored(correlation_id, reason))
            return
        waiting.reply.set_result(reply)

    def of(self, correlation_id: str) -> Waiting | None:
        """Return the ask *correlation_id*, if its caller still waits."""
        return self._waiting.get(correlation_id)

    def unanswered(self) -> list[Waiting]:
        """Return the asks that nobody has answered, oldest first."""
        return [waiting for waiting in self._waiting.values() if not waiting.reply.done()]
