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


@dataclass(frozen=True, slots=True)
class Waiting:
    """One ask under way."""

    envelope: Envelope
    reply: asyncio.Future[Reply]


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

    def fail(self, correlation_id: str, error: BaseException) -> None:
        """Make the ask fail with *error*, unless its reply came first."""
        waiting = self._waiting.get(correlation_id)
        if waiting is not None and not waiting.reply.done():
            waiting.reply.set_exception(error)

    def envelopes(self) -> list[Envelope]:
        """Return the envelopes of the asks nobody has answered, oldest first."""
        return [w.envelope for w in self._waiting.values() if not w.reply.done()]
