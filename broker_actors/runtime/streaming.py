"""The steps of a streaming turn: the same turn as any other, whose run and answer are chunks.

The chunk stream is what its caller gets instead of a reply. Invariant: the delivery is
acknowledged only once the stream has its END or ERROR, or nobody can read it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from broker_actors.actor.plain import simplify
from broker_actors.actor.signature import Kind as MethodKind
from broker_actors.core import codec
from broker_actors.core import turn as t
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import Chunk, Course, Kind
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import ErrorRecord, InvalidArgumentsError, PlatformError, SystemFaultError
from broker_actors.core.events import LeftBehind
from broker_actors.core.reply import Reply, of_result, read
from broker_actors.core.retry import Retry
from broker_actors.ports.streams import KEPT_SECONDS
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.context import TurnContext, Waiting
from broker_actors.runtime.generators import asynchronous
from broker_actors.runtime.invoke import prepared
from broker_actors.runtime.production import Production
from broker_actors.runtime.sections import Sections
from broker_actors.runtime.services import Services
from broker_actors.runtime.steps import Steps, TurnHost
from broker_actors.runtime.suspects import Trial, Uncounted
from broker_actors.runtime.ticking import ReminderSteps
from broker_actors.runtime.timed import TimerSteps
from broker_actors.runtime.timers import TimerDelivery

#: What a consumer has seen cannot be taken back: only a crash runs a generator again.
ONCE: Final = Retry(attempts=1)
#: What the keys begin with of calls that were given none; nobody repeats such a call for long.
OWN_KEY: Final = "s:"


class StreamSteps(Steps):
    """One streaming turn, as the spine sees it."""

    __slots__ = ("_production", "_resumed_from")

    def __init__(self, trial: Trial, activation: Subject, services: Services, host: TurnHost) -> None:
        super().__init__(trial, activation, services, host)
        self.terms = replace(self.terms, retry=ONCE)
        envelope, ledger = trial.arrival.envelope, activation.ledger
        call = CallId(envelope.address, envelope.key)
        self._production = Production(call, services, (ledger.epoch, ledger.nonce), envelope.reply_to)

    async def answer(self, reply: Reply) -> t.Event:
        """End the stream with *reply*, if somebody can still read it."""
        failed = isinstance(read(reply), ErrorRecord)
        try:
            has_ended = await self._production.end(Chunk.last(reply, failed=failed))
        except PlatformError as error:
            return self._lost("end of stream", error)
        return t.Answered() if has_ended else t.Lost()

    def ack(self, outcome: str, turn: t.Turn) -> None:
        """End: let the broker forget the delivery."""
        self._production.close()
        super().ack(outcome, turn)

    def abandon(self, turn: t.Turn) -> None:
        """End: whoever gets the delivery next goes on."""
        self._production.close()
        super().abandon(turn)

    @property
    def _retention_seconds(self) -> int:
        envelope = self._arrival.envelope
        return KEPT_SECONDS if envelope.key.startswith(OWN_KEY) else super()._retention_seconds

    def _context_of(self, envelope: Envelope, sections: Sections | None) -> TurnContext:
        # The deadline was about the first value; what a stream asks for later has its own.
        return super()._context_of(replace(envelope, deadline_ms=0), sections)

    @property
    def _waiting(self) -> Waiting:
        # It takes no place from those that run, from its first step on.
        return Uncounted(self._trial)

    async def _result(self, envelope: Envelope, context: TurnContext) -> Reply:
        method, arguments = prepared(self._activation.spec, envelope)
        if method.kind is not MethodKind.STREAM:
            text = f"{envelope.address.type}.{envelope.method} does not yield: ask it instead of streaming it"
            raise InvalidArgumentsError("not_a_stream", text)
        instance = await self._activation.instance()
        begun = await self._production.begin()
        if begun is None:
            return of_result(None, envelope.content_type)
        context.resume_from = begun.written if method.resumable else 0
        course = Course(begun.written, begun.digests, resume=method.resumable)
        self._yielded(course.seq)
        args, kwargs = arguments
        made = method.function(instance, *args, **kwargs)
        in_thread = self._in_thread if method.run_in == "thread" else None
        values = asynchronous(made, in_thread=in_thread, slow=self._slow)
        self._host.waits(+1)
        try:
            count = await self._production.run(values, course, self._encoding(envelope, course))
        finally:
            self._host.waits(-1)
        return of_result(count, envelope.content_type)

    def _encoding(self, envelope: Envelope, course: Course) -> Callable[[object], Chunk]:
        def encoded(value: object) -> Chunk:
            self._yielded(course.seq + 1)
            return _chunk(value, envelope)

        return encoded

    def _yielded(self, seq: int) -> None:
        if self._sections is not None:
            self._sections.yielded(seq)

    async def _in_thread(self, step: Callable[[], object]) -> object:
        return await self._services.offload.threads.run(step, self._left_behind)

    def _left_behind(self) -> None:
        envelope = self._arrival.envelope
        self._services.observer.observe(LeftBehind(envelope.address, envelope.method))

    def _slow(self, seconds: float) -> None:
        self._services.slowness.took(self._arrival.envelope, seconds)


def steps_of(
    trial: Trial, activation: Subject, services: Services, host: TurnHost, *, overflows: bool = False
) -> Steps:
    """Return the steps of the turn of *trial*'s envelope; with *overflows* there is no room to park it."""
    if trial.arrival.envelope.stream:
        return StreamSteps(trial, activation, services, host)
    if isinstance(trial.arrival.delivery, TimerDelivery):
        return TimerSteps(trial, activation, services, host)
    steps = ReminderSteps if trial.arrival.envelope.reminder and activation.spec.durable else Steps
    return steps(trial, activation, services, host, overflows=overflows)


def _chunk(value: object, envelope: Envelope) -> Chunk:
    content_type = envelope.content_type
    try:
        body = codec.encode(value, content_type, simplify=simplify, what="value")
    except TypeError as error:
        text = f"{envelope.address.type}.{envelope.method} yielded what cannot be sent: {error}"
        raise SystemFaultError(text, recoverable=False) from error
    return Chunk(Kind.VALUE, body, content_type)
