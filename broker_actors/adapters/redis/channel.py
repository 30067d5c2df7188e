"""The receiving end of replies: a task that reads one stream until told to stop.

Every round either waits for entries or finds out that the connection, or the stream, is
gone. Reading resumes after the last entry delivered; a stream that is gone, or older than
what was read from it, means that replies may be lost, and the owner is told.
"""

from __future__ import annotations

import asyncio
from typing import Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import (
    Answer,
    Link,
    LinkLostError,
    pack,
)
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.node import BACKOFF_FIRST_SECONDS, BACKOFF_LAST_SECONDS
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import ReplyIgnored, Trouble
from broker_actors.core.reply import Reply
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import OnLoss, OnReply

#: Entries read at a time.
READ_MAX: Final = 256
#: How often the stream is looked after at least: how late a lost stream may be noticed.
KEEP_SECONDS_MAX: Final = 5.0
#: How many renewals fit into the time to live.
KEEPS_WITHIN_TTL: Final = 3
#: How long deleting the stream may hold up the end of a process.
FAREWELL_SECONDS: Final = 2.0
#: Not 0, which would block for ever.
BLOCK_SECONDS_MIN: Final = 0.001
#: How long it takes in passes of the loop until who was answered has gone on and its next call is on its way.
GIVEN_WAY_PASSES: Final = 3
#: Entries read before they are trimmed, whatever the time.
UNTRIMMED_MAX: Final = 1_000
#: The same in bytes of their bodies: small values of streams come here, too.
UNTRIMMED_BYTES_MAX: Final = 1_048_576


class RedisChannel:
    """Implements `ports.replies.ReplyChannel`."""

    def __init__(self, name: str, batcher: Batcher, settings: RedisSettings, observer: Observer) -> None:
        self._name = name
        self._key = Keys(settings.prefix).reply(name)
        self._batcher = batcher
        self._settings = settings
        self._observer = observer
        self._link = Link(settings, observer, "reply channel")
        self._keep_script = Script.named("channel")
        self._keep_seconds = min(KEEP_SECONDS_MAX, settings.channel_ttl_seconds / KEEPS_WITHIN_TTL)
        self._read_id = b""
        self._untrimmed = self._untrimmed_bytes = 0
        #: In the loop's time.
        self._keep_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def name(self) -> str:
        """What goes into `reply_to`."""
        return self._name

    async def start(self, on_reply: OnReply, on_loss: OnLoss) -> None:
        """Make the stream and receive from it in a task.

        Raises:
            StoreUnavailableError: no connection within the deadline.

        """
        await self._keep()
        self._task = asyncio.create_task(self._receive(on_reply, on_loss), name=f"replies to {self._name}")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Stop receiving and delete the stream. Idempotent."""
        if self.closed:
            return
        self.closed = True
        try:
            if self._task is not None:
                self._task.cancel()
                # Waits for the task without taking its cancellation for our own.
                await asyncio.wait([self._task])
        finally:
            await self._link.close()
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._batcher.call("DEL", self._key)
        except (StoreUnavailableError, TimeoutError) as error:
            # The stream's time to live removes it.
            self._observer.observe(Trouble(f"closing reply channel {self._name}", repr(error)))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._observer.observe(Trouble(f"reply channel {self._name} stopped", repr(error)))

    async def _receive(self, on_reply: OnReply, on_loss: OnLoss) -> None:
        persisting = AsyncRetrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_random_exponential(multiplier=BACKOFF_FIRST_SECONDS, max=BACKOFF_LAST_SECONDS),
            before_sleep=self._note,
        )
        while True:
            await persisting(self._rounds, on_reply, on_loss)

    async def _rounds(self, on_reply: OnReply, on_loss: OnLoss) -> None:
        """Go round until something goes wrong. The first round may raise it: then the next attempt waits."""
        await self._round(on_reply, on_loss)
        try:
            while True:
                await self._round(on_reply, on_loss)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt finds out whether it lasts
            self._look_anew(error)

    def _note(self, state: RetryCallState) -> None:
        self._look_anew(state.outcome.exception() if state.outcome is not None else None)

    def _look_anew(self, error: BaseException | None) -> None:
        # Whatever went wrong, the stream itself may be gone: look before reading on.
        self._keep_at = 0.0
        if not isinstance(error, LinkLostError):
            self._observer.observe(Trouble(f"reply channel {self._name}", str(error)))

    async def _round(self, on_reply: OnReply, on_loss: OnLoss) -> None:
        """Look after the stream if it is time, then wait for entries and deliver them."""
        time = asyncio.get_running_loop().time
        is_long = self._untrimmed >= UNTRIMMED_MAX or self._untrimmed_bytes >= UNTRIMMED_BYTES_MAX
        if (is_long or time() >= self._keep_at) and await self._keep():
            on_loss()
        # Whoever keeps the stream knows who has it.
        await self._link.move(self._batcher.place_of(self._key))
        await self._link.open()
        block_seconds = max(BLOCK_SECONDS_MIN, self._keep_at - time())
        # Short enough that a dead connection is replaced, and the stream renewed, within its time to live.
        grace_seconds = min(self._settings.attempt_seconds, self._keep_seconds)
        command = pack(
            *("XREAD", "COUNT", READ_MAX, "BLOCK", round(block_seconds * 1000)),
            *("STREAMS", self._key, self._read_id),
        )
        [answer] = await self._link.exchange([command], block_seconds + grace_seconds)
        if answer is None:
            return
        [stream] = to_list(answer, 1)
        entries = to_list(to_list(stream, 2)[1])
        for entry in entries:
            entry_id, fields = to_list(entry, 2)
            # First, so that an entry that cannot be delivered is not read again.
            self._read_id = to_bytes(entry_id)
            self._untrimmed += 1
            self._deliver(fields, on_reply)
        if len(entries) < READ_MAX:
            # Their callers first: whoever answers their next calls works while more is asked for here.
            for _ in range(GIVEN_WAY_PASSES):
                await asyncio.sleep(0)

    async def _keep(self) -> bool:
        """Renew and trim the stream, or make it; return whether replies may have been lost."""
        ttl_ms = round(self._settings.channel_ttl_seconds * 1000)
        answer = await self._batcher.run(self._keep_script, (self._key,), ttl_ms, self._read_id)
        made, last = to_list(answer, 2)
        last_id = to_bytes(last)
        known = self._read_id != b""
        # A store that came back from an older copy counts on from an older id.
        lost = known and (to_int(made) == 1 or _order(last_id) < _order(self._read_id))
        if lost or not known:
            self._read_id = last_id
        self._untrimmed = self._untrimmed_bytes = 0
        self._keep_at = asyncio.get_running_loop().time() + self._keep_seconds
        return lost

    def _deliver(self, fields: Answer, on_reply: OnReply) -> None:
        try:
            values = [to_bytes(value) for value in to_list(fields)]
            entry = dict(zip(values[::2], values[1::2], strict=True))
            correlation_id = entry[b"c"].decode()
            reply = Reply(entry[b"b"], entry[b"t"].decode())
        except (KeyError, ValueError, StoreUnavailableError) as error:
            # Whoever knows the name can write here.
            self._observer.observe(ReplyIgnored("", f"not a reply: {error!r}"))
            return
        self._untrimmed_bytes += len(reply.body)
        on_reply(correlation_id, reply)


def _order(entry_id: bytes) -> tuple[int, int]:
    time_ms, _, sequence = entry_id.partition(b"-")
    return int(time_ms), int(sequence or b"0")
