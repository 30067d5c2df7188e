"""Replies on Redis: one stream per client process."""

from __future__ import annotations

from typing import Final

from redis.exceptions import ResponseError

from broker_actors.adapters.redis.answers import to_optional
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.channel import RedisChannel
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.reply import Reply
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import OnLoss, OnReply

#: Replies a channel holds unread, about; beyond it the oldest go, and their asks run into their deadlines.
UNREAD_MAX: Final = 10_000


class RedisReplies:
    """Implements `ports.replies.Replies`.

    A reply may arrive twice: after a lost answer it is sent again. Its asker drops the second.
    """

    def __init__(self, settings: RedisSettings, observer: Observer) -> None:
        self._settings = settings
        self._observer = observer
        self._batcher = Batcher(settings, observer, "replies")
        self._keys = Keys(settings.prefix)
        self._channels: list[RedisChannel] = []

    @classmethod
    async def connect(
        cls, url: str, observer: Observer, *, timeout_seconds: float = 10.0, prefix: str = "ba"
    ) -> RedisReplies:
        """Return replies that have reached Redis once.

        Args:
            url: where Redis is; see `RedisSettings`.
            observer: told about connections and trouble.
            timeout_seconds: how long a call may wait for its answer, over all attempts.
            prefix: how all keys begin.

        Raises:
            StoreUnavailableError: no answer within the deadline, or Redis refuses us.
            ConfigurationError: the URL or the prefix cannot work.

        """
        replies = cls(RedisSettings(url, timeout_seconds, prefix), observer)
        await replies._batcher.reach()
        return replies

    async def send(self, reply_to: str, correlation_id: str, reply: Reply) -> bool:
        """Deliver *reply*. Return False if the channel is gone, which means the caller is."""
        answer = await self._batcher.call(
            *("XADD", self._keys.reply(reply_to), "NOMKSTREAM", "MAXLEN", "~", UNREAD_MAX, "*"),
            *("c", correlation_id, "t", reply.content_type, "b", reply.body),
        )
        if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
            return False
        return to_optional(answer) is not None

    async def open(self, name: str, on_reply: OnReply, on_loss: OnLoss) -> RedisChannel:
        """Open the channel *name* and receive from it until closed, across reconnects."""
        channel = RedisChannel(name, self._batcher, self._settings, self._observer)
        await channel.start(on_reply, on_loss)
        self._channels = [*(other for other in self._channels if not other.closed), channel]
        return channel

    async def close(self) -> None:
        """Close every channel and give up the connections. Idempotent."""
        for channel in self._channels:
            await channel.close()
        await self._batcher.close()
