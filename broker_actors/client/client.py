"""Asks and tells from outside a turn.

Invariants: numbers are taken in the same loop step in which the publish enters the
transport, so that number order is wire order; an ask ends with its reply, an error or
`AskTimeoutError` by its deadline, whatever the broker and the store do; once `close` has
returned no call is under way and nothing more is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker_actors.client.asking_again import AskingAgain
from broker_actors.client.giving_up import GivingUp
from broker_actors.client.inbox import Inbox
from broker_actors.client.options import ClientOptions
from broker_actors.client.pending import Pending
from broker_actors.client.reading import Reading
from broker_actors.client.room import Place, Room
from broker_actors.client.streaming import KEY, Opening, Streaming
from broker_actors.client.telling import Telling
from broker_actors.client.under_way import UnderWay
from broker_actors.core import body, reply
from broker_actors.core.call_id import CallId
from broker_actors.core.checks import is_whole
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import (
    AskTimeoutError,
    CallCycleError,
    ConfigurationError,
    ErrorRecord,
    Plain,
    PlatformError,
    revive,
)
from broker_actors.core.numbering import Numbering
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.reply import Reply
from broker_actors.core.scheduled import Scheduled, listed
from broker_actors.dispatch import Dispatch
from broker_actors.ports.calling import Call, CallOptions, When
from broker_actors.ports.clock import Clock
from broker_actors.ports.members import Members
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import Replies
from broker_actors.ports.streams import Streams

#: Addresses one incarnation numbers before it takes a new name, which bounds the table.
ADDRESSES_MAX: Final = 100_000
#: Envelopes that may be missing somewhere before a new incarnation numbers from 1: fewer than the
#: holes an actor remembers of one sender.
UNCONFIRMED_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Channels:
    """What comes back to a client.

    Attributes:
        replies: of its asks.
        streams: of its streaming calls.

    """

    replies: Replies
    streams: Streams
    members: Members


class Client:
    """Makes calls from one process, on the loop it was made on. Implements `ports.calling.Caller`."""

    def __init__(
        self,
        dispatch: Dispatch,
        channels: Channels,
        clock: Clock,
        observer: Observer,
        options: ClientOptions,
    ) -> None:
        self._dispatch = dispatch
        self._clock = clock
        self._options = options
        self._pending = Pending(observer)
        self._incarnation = clock.token()
        self._numbering = Numbering()
        #: Envelopes that may never have arrived: their numbers are missing where they were to go.
        self._unconfirmed = 0
        self._asked = 0
        self._under_way = UnderWay()
        self._loop = asyncio.get_running_loop()
        self._room = Room(dispatch, clock)
        self._again = AskingAgain(self._pending, self._room, observer)
        #: The channel of this process, and its signals.
        self.inbox = Inbox(
            *(self._incarnation, channels.replies, observer, self._under_way),
            (self._pending.resolve, self._again.lost),
        )
        self._telling = Telling(dispatch, self._under_way, self._tell_of, self._told)
        self._giving_up = GivingUp(channels.members, self.inbox, dispatch, observer)
        self._streaming = Streaming(self._room, channels.streams, self.inbox, clock, observer)

    async def ask(self, call: Call) -> Plain:
        """Send *call* and wait for its result; see `ports.calling.Caller`."""
        self.check_usable()
        timeout = self._options.timeout_seconds(call)
        # Taken before anything is awaited: nothing may run for a caller that has given up.
        deadline_ms = _deadline_ms(timeout, self._clock.now_ms())
        try:
            async with asyncio.timeout(timeout):
                answer = await self._under_way.until_closed(self._ask, call, deadline_ms)
        except TimeoutError as error:
            if isinstance(error, AskTimeoutError):
                raise
            text = (
                f"{call.address}.{call.method} did not answer within {timeout:g} s: "
                "it may still run, or have run"
            )
            raise AskTimeoutError(text) from None
        result = reply.read(answer)
        if isinstance(result, ErrorRecord):
            raise revive(result)
        return result

    async def tell(self, call: Call) -> None:
        """Send *call* and return once it is confirmed; see `ports.calling.Caller`."""
        self.check_usable()
        await self._under_way.until_closed(self._tell, call)

    async def tell_all(self, calls: Sequence[Call]) -> Sequence[PlatformError | None]:
        """Send *calls* together and return what became of each; see `ports.calling.Caller`."""
        self.check_usable()
        return await self._under_way.until_closed(self._telling.all, calls)

    async def schedule(self, call: Call, when: When) -> Scheduled:
        """Send *call* to arrive later and return once it is confirmed; see `ports.calling.Caller`."""
        self.check_usable()
        return await self._under_way.until_closed(self._schedule, call, when)

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never runs; see `ports.calling.Caller`."""
        self.check_usable()
        return await self._under_way.until_closed(self._dispatch.cancel, entry)

    def stream(self, call: Call) -> Reading:
        """Return what *call* will yield; see `ports.calling.Caller`."""
        self.check_usable()
        key = call.options.idempotency_key or f"{KEY}{self._clock.token()}"
        call_id = CallId(call.address, key)
        content_type, encoded = self._encoded(call)
        envelope = Envelope(call.address, call.method, encoded, content_type, key=key, chain=call.chain)
        timeout = self._options.timeout_seconds(call)
        wait_seconds = self._options.wait_seconds(call, timeout)
        opening = Opening(replace(envelope, stream=True), call.declared, wait_seconds)
        return Reading(call_id, self._streaming, self._under_way, timeout, opening=opening)

    def resume(self, call_id: str, after: int, timeout_seconds: float | None) -> Reading:
        """Return what the call *call_id* yields after its value number *after*.

        Raises:
            ConfigurationError: it is no call id, or the number or the timeout cannot be.

        """
        self.check_usable()
        if not is_whole(after) or after < 0:
            text = f"after={after!r} must be a whole number: that of the last value that is not wanted again"
            raise ConfigurationError(f"{text}; values are numbered from 1")
        call = CallId.parse(call_id)
        options = CallOptions(timeout_seconds=timeout_seconds)
        seconds = self._options.timeout_seconds(Call(call.address, "resume", options=options))
        return Reading(call, self._streaming, self._under_way, seconds, after=after)

    @property
    def reply_channel(self) -> str:
        """The name of this client's reply channel; empty until its first ask."""
        return self.inbox.name

    async def close(self) -> None:
        """End every call under way with `PlatformError` and give up the reply channel. Idempotent."""
        await self._under_way.end_all()
        await self._again.close()
        await self._giving_up.close()
        await self._streaming.close()
        await self.inbox.close()

    def check_usable(self) -> None:
        """Refuse a call that cannot work here.

        Raises:
            PlatformError: the client is closed, or this is not the loop it was made on.

        """
        if self._under_way.closed:
            raise PlatformError("the actor system is closed")
        if asyncio.get_running_loop() is not self._loop:
            # Its connections would wake nobody here, and the caller would wait to its deadline.
            text = (
                "the actor system was opened on another event loop: await the call there, as with "
                "asyncio.run_coroutine_threadsafe(call, loop), or open a system on this loop"
            )
            raise PlatformError(text)

    async def _tell(self, call: Call) -> None:
        layout = await self._dispatch.layout(call.address.type, call.declared)
        self._under_way.check_open()
        wait_seconds = self._options.wait_seconds(call)
        async with self._room.place(layout.route_to(call.address), call.address, wait_seconds) as place:
            envelope = self._tell_of(call)
            confirmed = False
            try:
                await place.publish(to_wire(envelope))
                confirmed = True
            finally:
                self._told(envelope, confirmed)

    async def _ask(self, call: Call, deadline_ms: int) -> Reply:
        if str(call.address) in call.chain:
            path = " asks ".join([*call.chain, str(call.address)])
            text = f"{path}: the last one waits for itself; use a tell, or move the call out of the chain"
            raise CallCycleError("call_cycle", text)
        channel = await self.inbox.open()
        layout = await self._dispatch.layout(call.address.type, call.declared)
        # Again, for closing may have come between: what it no longer sees must not be numbered or sent.
        self._under_way.check_open()
        wait_seconds = self._options.wait_seconds(call, self._options.timeout_seconds(call))
        async with self._room.place(layout.route_to(call.address), call.address, wait_seconds) as place:
            self._asked += 1
            envelope = self._numbered(call, deadline_ms, channel.name, str(self._asked))
            return await self._answer(place, envelope)

    async def _answer(self, place: Place, envelope: Envelope) -> Reply:
        future = self._pending.add(envelope)
        try:
            await self._send(place, envelope, future)
            self._again.sent(envelope.correlation_id)
            place.leave()
            return await future
        except BaseException as error:
            self._unconfirmed += 1
            # At its deadline whoever runs it ends it by itself.
            if isinstance(error, asyncio.CancelledError) and not envelope.expired(self._clock.now_ms()):
                self._giving_up.add(envelope)
            raise
        finally:
            self._pending.remove(envelope.correlation_id)
            self._again.end(envelope.correlation_id)
            self._settle(envelope)

    async def _send(self, place: Place, envelope: Envelope, answer: asyncio.Future[Reply]) -> None:
        """Publish *envelope*; return when it is confirmed, or answered, which is better news.

        Not a task of its own: that would begin a loop pass later, and what is called next would
        enter the broker first.
        """
        unanswered = asyncio.timeout(None)
        is_publishing = True

        def answered(_: object) -> None:
            # It may have been scheduled already when the confirm came.
            if is_publishing:
                unanswered.reschedule(self._loop.time())

        answer.add_done_callback(answered)
        try:
            async with unanswered:
                await place.publish(to_wire(envelope))
        except TimeoutError:
            if not unanswered.expired():
                raise
        finally:
            is_publishing = False
            answer.remove_done_callback(answered)

    async def _schedule(self, call: Call, when: When) -> Scheduled:
        await self._dispatch.layout(call.address.type, call.declared)
        self._under_way.check_open()
        content_type, encoded = self._encoded(call)
        now_ms = self._clock.now_ms()
        envelope = Envelope(
            call.address,
            call.method,
            encoded,
            content_type,
            # Numbers are for what arrives in order; a delayed envelope is known by a key of its own.
            key=call.options.idempotency_key or f"d:{self._clock.token()}",
            deadline_ms=_deadline_ms(call.options.expires_seconds, now_ms),
            sent_seconds=now_ms // 1000,
        )
        due_ms = when.due_ms(now_ms)
        destination = Destination.DELAY if due_ms > now_ms else Destination.MAILBOX
        await self._dispatch.send(Outgoing(destination, listed(to_wire(envelope)), due_ms))
        return Scheduled(call.address, envelope.key, call.method, due_ms)

    def _numbered(
        self, call: Call, deadline_ms: int, reply_to: str = "", correlation_id: str = ""
    ) -> Envelope:
        """Return *call* as the next envelope to its actor; whoever takes it must `_settle` it."""
        # Encoded before it is numbered: what cannot travel must not leave a hole.
        content_type, encoded = self._encoded(call)
        now_ms = self._clock.now_ms()
        if len(self._numbering) >= ADDRESSES_MAX or self._unconfirmed >= UNCONFIRMED_MAX:
            self._incarnation, self._numbering, self._unconfirmed = self._clock.token(), Numbering(), 0
        seq, low = self._numbering.take(call.address)
        try:
            return Envelope(
                call.address,
                call.method,
                encoded,
                content_type,
                self._incarnation,
                seq,
                low,
                call.options.idempotency_key,
                deadline_ms=deadline_ms,
                chain=call.chain,
                reply_to=reply_to,
                correlation_id=correlation_id,
                sent_seconds=now_ms // 1000,
            )
        except ConfigurationError:
            self._numbering.settle(call.address, seq)
            raise

    def _tell_of(self, call: Call) -> Envelope:
        expires = call.options.expires_seconds
        return self._numbered(call, _deadline_ms(expires, self._clock.now_ms()) if expires is not None else 0)

    def _told(self, envelope: Envelope, confirmed: bool) -> None:  # noqa: FBT001 - see `Telling`
        self._unconfirmed += not confirmed
        self._settle(envelope)

    def _encoded(self, call: Call) -> tuple[str, bytes]:
        content_type = call.options.content_type or self._options.content_type
        return content_type, body.encode(call.args, call.kwargs, content_type, simplify=call.simplify)

    def _settle(self, envelope: Envelope) -> None:
        if envelope.sender == self._incarnation:
            self._numbering.settle(envelope.address, envelope.seq)


def _deadline_ms(lifetime_seconds: float | None, now_ms: int) -> int:
    return 0 if lifetime_seconds is None else now_ms + max(1, round(lifetime_seconds * 1000))
