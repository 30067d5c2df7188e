"""Replies inside the process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from broker_actors.core.events import Trouble
from broker_actors.core.reply import Reply
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import OnLoss, OnReply

#: Replies a channel holds unread; beyond it the oldest go, and their asks run into their deadlines.
UNREAD_MAX: Final = 10_000


@dataclass(slots=True, eq=False)
class _Inbox:
    """Unread replies, and whether the channel still exists."""

    unread: deque[tuple[str, Reply]] = field(default_factory=lambda: deque(maxlen=UNREAD_MAX))
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False


class MemoryChannels:
    """The channels of one embedded system; shared by its clients and workers."""

    def __init__(self) -> None:
        self._inboxes: dict[str, _Inbox] = {}

    def make(self, name: str) -> _Inbox:
        """Return a new, empty channel."""
        inbox = self._inboxes[name] = _Inbox()
        return inbox

    def put(self, name: str, correlation_id: str, reply: Reply) -> bool:
        """Leave *reply* in the channel; return False if there is none."""
        inbox = self._inboxes.get(name)
        if inbox is None:
            return False
        inbox.unread.append((correlation_id, reply))
        inbox.changed.set()
        return True

    def remove(self, name: str) -> None:
        """Delete the channel with what is unread. Its reader, if any, notices and makes it anew."""
        inbox = self._inboxes.pop(name, None)
        if inbox is not None:
            inbox.lost = True
            inbox.unread.clear()
            inbox.changed.set()


class MemoryReplies:
    """Implements `ports.replies.Replies` for one client or worker."""

    def __init__(self, channels: MemoryChannels, observer: Observer) -> None:
        self._channels = channels
        self._observer = observer
        self._open: list[MemoryChannel] = []

    async def send(self, reply_to: str, correlation_id: str, reply: Reply) -> bool:
        """Deliver *reply*. Return False if the channel is gone, which means the caller is."""
        await asyncio.sleep(0)
        delivered = self._channels.put(reply_to, correlation_id, reply)
        await asyncio.sleep(0)
        return delivered

    async def open(self, name: str, on_reply: OnReply, on_loss: OnLoss) -> MemoryChannel:
        """Open the channel *name* and receive from it until closed."""
        await asyncio.sleep(0)
        channel = MemoryChannel(name, self._channels, self._observer)
        channel.start(on_reply, on_loss)
        self._open = [*(other for other in self._open if not other.closed), channel]
        await asyncio.sleep(0)
        return channel

    async def close(self) -> None:
        """Close every channel this client opened. Idempotent."""
        for channel in self._open:
            await channel.close()


class MemoryChannel:
    """Implements `ports.replies.ReplyChannel`: a task of the receiver hands out what arrives."""

    def __init__(self, name: str, channels: MemoryChannels, observer: Observer) -> None:
        self._name = name
        self._channels = channels
        self._observer = observer
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def name(self) -> str:
        """What goes into `reply_to`."""
        return self._name

    def start(self, on_reply: OnReply, on_loss: OnLoss) -> None:
        """Make the channel and receive from it in a task."""
        inbox = self._channels.make(self._name)
        receiving = self._receive(inbox, on_reply, on_loss)
        self._task = asyncio.create_task(receiving, name=f"replies to {self._name}")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Stop receiving and delete the channel. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            # Waits for the task without taking its cancellation for our own.
            await asyncio.wait([self._task])
        self._channels.remove(self._name)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._observer.observe(Trouble(f"reply channel {self._name} stopped", repr(error)))

    async def _receive(self, inbox: _Inbox, on_reply: OnReply, on_loss: OnLoss) -> None:
        while True:
            await inbox.changed.wait()
            inbox.changed.clear()
            if inbox.lost:
                inbox = self._channels.make(self._name)
                on_loss()
            while inbox.unread:
                on_reply(*inbox.unread.popleft())
