"""What a running turn can do: record effects, ask others, know itself.

Invariant: tells are recorded and leave only after the commit, or never; asks leave at
once and are not undone. A context is used by one run and is finished when the run is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Final, Protocol
from weakref import WeakSet

from broker_actors.core import body
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import MailboxFullError, OrderError, OutOfTurnError, Plain, PlatformError
from broker_actors.core.limiting import Terms
from broker_actors.core.outgoing import OUTBOX_ITEMS_MAX, Destination, Outgoing
from broker_actors.core.scheduled import Scheduled, listed
from broker_actors.ports.calling import ASK_SECONDS_MAX, Call, Values, When
from broker_actors.ports.places import HeldPlace
from broker_actors.runtime.awaiting import AwaitedValues
from broker_actors.runtime.clockwork import NO_TIMERS, NOT_WOUND, Clockwork, TimerPlan, Wound
from broker_actors.runtime.ledger import Ledger
from broker_actors.runtime.sections import Sections
from broker_actors.runtime.services import Services

#: Tells of one turn. More than this belongs in several turns.
OUTGOING_MAX: Final = 1_000
#: Their bodies together, for they are committed in one write.
OUTGOING_BYTES_MAX: Final = 8 * 1_048_576


class Waiting(Protocol):
    """Whoever must know that a turn waits for somebody else's answer."""

    def waits(self, change: int) -> None:
        """Count the turn as waiting (+1), or no more (-1)."""
        ...

    async def pause(self) -> None:
        """Return when the turn may begin to wait. Idempotent."""
        ...

    async def go_on(self) -> None:
        """Return when the turn may go on. Idempotent."""
        ...


class TurnContext:
    """One run of one turn. Implements `actor.context.TurnScope`."""

    __slots__ = (
        "_asking",
        "_asks",
        "_bytes",
        "_clockwork",
        "_envelope",
        "_ledger",
        "_nonce",
        "_reading",
        "_recording",
        "_sections",
        "_services",
        "_told",
        "_waiting",
        "finished",
        "outgoing",
        "resume_from",
    )

    def __init__(
        self,
        envelope: Envelope,
        services: Services,
        *,
        ledger: Ledger,
        waiting: Waiting,
        sections: Sections | None = None,
    ) -> None:
        self._envelope = envelope
        self._services = services
        self._ledger = ledger
        self._waiting = waiting
        self._sections = sections
        #: Names this run; made when there is something to name.
        self._nonce = ""
        self._told = 0
        self._bytes = 0
        self._asking = 0
        #: How often it has asked what; None for nothing yet.
        self._asks: dict[tuple[Address, str, bytes], int] | None = None
        #: The streams it reads; None for none, as with nearly all.
        self._reading: WeakSet[AwaitedValues] | None = None
        #: Tells recorded so far, in order, those of sections apart.
        self.outgoing: list[Outgoing] = []
        self._recording = self.outgoing
        #: How many values of a resumable generator an earlier run has written.
        self.resume_from = 0
        self._clockwork: Clockwork | None = None
        #: Whether the run is over; nothing can be recorded after that.
        self.finished = False

    @property
    def id(self) -> str:
        """Names the turn; the same when it is run again after a crash."""
        return f"{self._envelope.address}/{self._envelope.identity}"

    @property
    def epoch(self) -> int:
        """The fencing token, to pass on to outside systems that can check it."""
        return self._ledger.epoch

    @property
    def address(self) -> Address:
        """The actor whose turn this is."""
        return self._envelope.address

    @property
    def method(self) -> str:
        """The method that runs."""
        return self._envelope.method

    @property
    def attempt(self) -> int:
        """Which run this is, from 1."""
        return self._envelope.attempt

    @property
    def key(self) -> str:
        """The idempotency key; empty for none."""
        return self._envelope.key

    @property
    def deadline_ms(self) -> int:
        """Unix milliseconds after which nobody waits; 0 for never."""
        return self._envelope.deadline_ms

    @property
    def chain(self) -> tuple[str, ...]:
        """The actors that wait for this turn, outermost first, itself last."""
        return (*self._envelope.chain, str(self._envelope.address))

    @property
    def clockwork(self) -> Clockwork:
        """What is to happen later, beside delayed tells."""
        if self._clockwork is None:
            services, is_durable = self._services, self._ledger.outbox.numbers
            self._clockwork = Clockwork(self.address, services.store, services.clock, is_durable=is_durable)
        return self._clockwork

    def wound(self) -> Wound:
        """Return what of the actor's reminders the commit is to contain."""
        return NOT_WOUND if self._clockwork is None else self._clockwork.wound()

    @property
    def timers(self) -> Mapping[str, TimerPlan | None]:
        """The timers it starts; None for those it stops."""
        return NO_TIMERS if self._clockwork is None else self._clockwork.timers

    async def ask(self, call: Call) -> Plain:
        """Ask another actor; see `ports.calling.Caller`.

        The ask is keyed by what it is, so that the same ask made again after a crash gets
        the recorded answer.

        Raises:
            OrderError: this turn has a tell to that actor which would leave later.

        """
        self._check_running()
        self._check_order(call.address)
        options = replace(
            call.options,
            idempotency_key=call.options.idempotency_key or self._ask_key(call),
            timeout_seconds=self._remaining(call.options.timeout_seconds),
        )
        try:
            await self._ask_begins()
            return await self._services.caller.ask(replace(call, options=options, chain=self.chain))
        finally:
            await self._ask_ends()

    async def tell(self, call: Call) -> None:
        """Record *call*; it leaves after the commit. See `ports.calling.Caller`.

        Raises:
            MailboxFullError: the turn has recorded 1,000 already, or 8 MiB of them, or the broker has
                not taken as many of earlier turns.
            UnknownActorTypeError: nobody has declared the type; known now, and not after the commit.

        """
        await self._known(call)
        if self._ledger.outbox.numbers:
            envelope = replace(self._envelope_of(call), sender=str(self.address))
        else:
            envelope = self._keyed(call, "o")
        self._record(Outgoing(Destination.MAILBOX, to_wire(envelope)))

    async def schedule(self, call: Call, when: When) -> Scheduled:
        """Record *call*; it leaves after the commit, to arrive later. Raises what `tell` raises."""
        await self._known(call)
        now_ms = self._services.clock.now_ms()
        due_ms = when.due_ms(now_ms)
        # What waits in the delay levels has no place in the order of the others.
        envelope = self._keyed(call, "d")
        destination = Destination.DELAY if due_ms > now_ms else Destination.MAILBOX
        self._record(Outgoing(destination, listed(to_wire(envelope)), due_ms))
        return Scheduled(call.address, envelope.key, call.method, due_ms)

    @contextmanager
    def all_or_nothing(self) -> Generator[None, None, None]:
        """Take back what is recorded in the block if it ends with an exception."""
        recording = self._recording
        before = len(recording)
        try:
            yield
        except BaseException:
            # Numbers come with the commit, and keys from a counter that goes on: nothing else knows them.
            del recording[before:]
            raise

    async def cancel(self, entry: Scheduled) -> bool:
        """See to it that *entry* never runs, whatever becomes of this turn; see `ports.calling.Caller`."""
        self._check_running()
        return await self._services.caller.cancel(entry)

    async def tell_all(self, calls: Sequence[Call]) -> Sequence[PlatformError | None]:
        """Record *calls* in order; see `ports.calling.Caller`."""
        self._check_running()
        return [await self._recorded(call) for call in calls]

    def section(self) -> AbstractAsyncContextManager[None]:
        """Return a place where an interleaved turn may write.

        Raises:
            OutOfTurnError: the turn does not interleave, or is over.

        """
        self._check_running()
        if self._sections is None:
            text = f"{self.address}.{self.method} does not interleave: all of it may write, without a section"
            raise OutOfTurnError(text)
        return self._sections.one(self)

    def limiter(self, name: str, terms: Terms) -> AbstractAsyncContextManager[HeldPlace, bool | None]:
        """Return the limiter *name* of the process."""
        self._check_running()
        return self._services.limiters.of(name, terms)

    def section_begins(self) -> None:
        """Record tells apart from those of the turn."""
        self._recording = []

    def section_ends(self) -> list[Outgoing]:
        """Return what was recorded since, and record tells of the turn again."""
        recorded, self._recording = self._recording, self.outgoing
        return recorded

    def stream(self, call: Call) -> Values:
        """Stream from another actor; see `ports.calling.Caller`. A turn that is run again begins anew.

        Its first use raises `OrderError` if this turn has a tell to that actor which would leave later.
        """
        self._check_running()
        values = self._services.caller.stream(replace(call, chain=self.chain))
        check = partial(self._check_order, call.address)
        awaited = AwaitedValues(values, check, self._ask_begins, self._ask_ends)
        if self._reading is None:
            self._reading = WeakSet()
        self._reading.add(awaited)
        return awaited

    def reads(self, call_id: str) -> bool:
        """Return whether the run holds the stream of *call_id*."""
        return any(values.call_id == call_id for values in self._reading or ())

    async def _known(self, call: Call) -> None:
        self._check_running()
        await self._services.dispatch.layout(call.address.type, call.declared)

    def _envelope_of(self, call: Call) -> Envelope:
        now_ms, expires = self._services.clock.now_ms(), call.options.expires_seconds
        content_type = call.options.content_type or self._envelope.content_type
        return Envelope(
            call.address,
            call.method,
            body.encode(call.args, call.kwargs, content_type, simplify=call.simplify),
            content_type,
            key=call.options.idempotency_key,
            deadline_ms=0 if expires is None else now_ms + max(1, round(expires * 1000)),
            sent_seconds=now_ms // 1000,
        )

    def _keyed(self, call: Call, prefix: str) -> Envelope:
        envelope = self._envelope_of(call)
        self._nonce = self._nonce or self._services.clock.token()
        return replace(envelope, key=envelope.key or f"{prefix}:{self._nonce}:{self._told}")

    def _record(self, item: Outgoing) -> None:
        self._bytes += len(item.message.body)
        if self._told >= OUTGOING_MAX or self._bytes > OUTGOING_BYTES_MAX:
            text = (
                f"a turn of {self.address} sends more than {OUTGOING_MAX} tells "
                f"or {OUTGOING_BYTES_MAX} bytes: spread them over several turns"
            )
            raise MailboxFullError(text)
        if len(self._recording) >= (room := self._ledger.outbox.room):
            text = (
                f"the broker has yet to take {OUTBOX_ITEMS_MAX - room} messages that {self.address} sent: "
                "is the mailbox of one of its targets full? See broker-actors actors show"
            )
            raise MailboxFullError(text)
        self._told += 1
        self._recording.append(item)

    def finish(self) -> None:
        """End the run; what is left over of it can no longer record anything."""
        self.finished = True
        if self._sections is not None:
            self._sections.finish()
        if self._asking:
            self._waiting.waits(-1)

    async def _ask_begins(self) -> None:
        # The turn counts as waiting once, however many asks it has under way.
        self._asking += 1
        if self._asking == 1:
            self._waiting.waits(+1)
        # Also for a second one: it must not leave before the turn is known to wait.
        await self._waiting.pause()

    async def _ask_ends(self) -> None:
        self._asking -= 1
        if not self._asking and not self.finished:
            self._waiting.waits(-1)
            await self._waiting.go_on()

    async def _recorded(self, call: Call) -> PlatformError | None:
        try:
            await self.tell(call)
        except PlatformError as error:
            return error
        return None

    def _check_running(self) -> None:
        if self.finished:
            text = f"the turn of {self.address} is over: await everything a method starts before it returns"
            raise OutOfTurnError(text)

    def _check_order(self, address: Address) -> None:
        if any(_target(item) == address for item in (*self.outgoing, *self._recording)):
            text = (
                f"this turn told {address} something that leaves after the turn: "
                "ask it before, or in a later turn"
            )
            raise OrderError(text)

    def _ask_key(self, call: Call) -> str:
        content = body.encode(call.args, call.kwargs, simplify=call.simplify)
        what = (call.address, call.method, content)
        if self._asks is None:
            self._asks = {}
        occurrence = self._asks[what] = self._asks.get(what, 0) + 1
        parts = f"{self.id}\0{self.attempt}\0{call.address}\0{call.method}\0{occurrence}\0".encode()
        return "a:" + blake2b(parts + content, digest_size=16).hexdigest()

    def _remaining(self, wanted_seconds: float | None) -> float | None:
        # A tell's deadline is about when it may start; nobody waits for its end.
        if not (self._envelope.is_ask and self.deadline_ms):
            return wanted_seconds
        left = min(ASK_SECONDS_MAX, max(0.001, (self.deadline_ms - self._services.clock.now_ms()) / 1000))
        return left if wanted_seconds is None else min(left, wanted_seconds)


def _target(item: Outgoing) -> Address | None:
    if item.destination is not Destination.MAILBOX:
        return None
    headers = item.message.headers
    return Address(str(headers["ba-type"]), str(headers["ba-id"]))
