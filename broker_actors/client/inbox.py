"""The one channel of a process: replies to its asks come in by it, and signals to its listeners.

Invariant: it is opened once, by whoever needs it first, and closed with the client, also
when it was being opened at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from broker_actors.client.under_way import UnderWay
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.reply import Reply
from broker_actors.ports.control import SIGNAL, Listener, OnSignal
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import OnLoss, OnReply, Replies, ReplyChannel

#: What the correlation id begins with of a call that was given up.
CANCEL: Final = "cancel:"
_NOTHING: Final = Reply(b"")


class Inbox:
    """Implements `ports.control.Control`."""

    def __init__(
        self,
        name: str,
        replies: Replies,
        observer: Observer,
        under_way: UnderWay,
        receivers: tuple[OnReply, OnLoss],
    ) -> None:
        self._name = name
        self._replies = replies
        self._observer = observer
        self._under_way = under_way
        self._on_reply, self._on_loss = receivers
        self._channel: ReplyChannel | None = None
        self._opening: asyncio.Task[ReplyChannel] | None = None
        self._listeners: dict[str, OnSignal] = {}
        self._attending: list[Callable[[str], None]] = []

    @property
    def name(self) -> str:
        """The name of the channel; empty until it is open."""
        return "" if self._channel is None else self._channel.name

    async def open(self) -> ReplyChannel:
        """Return the channel, opened if need be; raises `PlatformError`."""
        if self._channel is not None:
            return self._channel
        if self._opening is None:
            self._opening = asyncio.create_task(self._replies.open(self._name, self._received, self._lost))
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        # Not awaited itself: the deadline of one ask must not end it for the others, nor leave it half open.
        await asyncio.wait([opening])
        self._under_way.check_open()
        return opening.result()

    async def listen(self, token: str, on_signal: OnSignal) -> Listener:
        """Have *on_signal* called for every signal to *token*, until `forget`."""
        channel = await self.open()
        self._listeners[token] = on_signal
        return Listener(channel.name, token)

    def forget(self, token: str) -> None:
        """Drop the signals to *token* from now on. Idempotent."""
        self._listeners.pop(token, None)

    async def attend(self, on_cancel: Callable[[str], None]) -> str:
        """Have *on_cancel* called with every call that is cancelled here; return the channel."""
        channel = await self.open()
        self._attending.append(on_cancel)
        return channel.name

    def ignore(self, on_cancel: Callable[[str], None]) -> None:
        """Call *on_cancel* no more. Idempotent."""
        if on_cancel in self._attending:
            self._attending.remove(on_cancel)

    async def cancel(self, channel: str, call: str) -> None:
        """Tell whoever attends at *channel* that nobody waits for *call*."""
        await self._send(channel, CANCEL + call)

    async def signal(self, listener: Listener) -> None:
        """Wake *listener*, if it still listens."""
        await self._send(listener.channel, SIGNAL + listener.token)

    async def _send(self, channel: str, hint: str) -> None:
        try:
            await self._replies.send(channel, hint, _NOTHING)
        except PlatformError as error:
            self._observer.observe(Trouble("signal", str(error)))

    async def close(self) -> None:
        """Give up the channel. Idempotent."""
        if self._opening is not None:
            # A channel half open could not be closed, so it is opened first.
            await asyncio.wait([self._opening])
        channel, self._channel = self._channel, None
        self._listeners.clear()
        self._attending.clear()
        if channel is not None:
            await channel.close()

    def _opened(self, opening: asyncio.Task[ReplyChannel]) -> None:
        self._opening = None
        # The exception is looked at also when those who waited have all given up.
        if not opening.cancelled() and opening.exception() is None:
            self._channel = opening.result()

    def _received(self, correlation_id: str, reply: Reply) -> None:
        if correlation_id.startswith(SIGNAL):
            # Nobody listens any more, or the signal came twice: it was a hint.
            if (listener := self._listeners.get(correlation_id.removeprefix(SIGNAL))) is not None:
                listener(reply.body)
        elif correlation_id.startswith(CANCEL):
            for attending in self._attending:
                attending(correlation_id.removeprefix(CANCEL))
        else:
            self._on_reply(correlation_id, reply)

    def _lost(self) -> None:
        # What a lost signal was about is in the store.
        for listener in list(self._listeners.values()):
            listener(b"")
        self._on_loss()
