"""The steps of one turn: what each command of the protocol does to the outside.

Invariant: a step returns an event for everything that can go wrong; only a bug of the
runtime, or the cancellation of the worker, leaves it as an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, Protocol

from broker_actors.actor.context import entered
from broker_actors.actor.spec import ActorSpec
from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason, of_envelope
from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import (
    BrokerUnavailableError,
    ErrorRecord,
    MailboxFullError,
    PlatformError,
    StoreUnavailableError,
)
from broker_actors.core.events import ActorSuspended, ReplyUndelivered, Trouble, TurnEnded
from broker_actors.core.history import summary
from broker_actors.core.outgoing import Destination, Outgoing, pack
from broker_actors.core.reply import Reply, read
from broker_actors.core.supervision import Restart
from broker_actors.core.verdict import BUSINESS_KINDS, Terms
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.answers import failure_of
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.clockwork import NO_TIMERS, NOT_WOUND, TimerPlan, Wound
from broker_actors.runtime.context import TurnContext, Waiting
from broker_actors.runtime.interruption import TurnInterruptedError
from broker_actors.runtime.invoke import invoke
from broker_actors.runtime.ledger import Outcome
from broker_actors.runtime.outbox import numbered
from broker_actors.runtime.sections import Lane, Sections
from broker_actors.runtime.services import Services
from broker_actors.runtime.snapshot import Snapshot
from broker_actors.runtime.suspects import Trial

#: Terms of turns like all others, by their method and mailbox, that are remembered.
_TERMS_KEPT: Final = 1_024


class TurnHost(Lane, Protocol):
    """What a turn needs of whoever runs it."""

    def ends_with(self, error: BaseException) -> bool:
        """Return whether *error* ends the worker, and is not the fault of the code that ran."""
        ...

    def wind(
        self, address: Address, plans: Mapping[str, TimerPlan | None], subscription: Subscription
    ) -> None:
        """Start or stop timers of *address*, as a turn that has committed wants it."""
        ...


class Steps:
    """One turn of one activation, as the spine sees it."""

    __slots__ = (
        "_activation",
        "_arrival",
        "_context",
        "_host",
        "_outgoing",
        "_sections",
        "_services",
        "_state",
        "_trial",
        "_version",
        "rest",
        "terms",
    )

    def __init__(
        self,
        trial: Trial,
        activation: Subject,
        services: Services,
        host: TurnHost,
        *,
        overflows: bool = False,
    ) -> None:
        arrival = trial.arrival
        #: What failures are judged by.
        self.terms = _terms_of(trial, activation, overflows=overflows)
        #: If the turn failed: how long the actor rests after it, and when it failed, this turn included.
        self.rest: Restart | None = None
        self._trial = trial
        self._arrival = arrival
        self._activation = activation
        self._services = services
        self._host = host
        self._context: TurnContext | None = None
        self._state: bytes | None = None
        #: What is to be sent, and its index in the commit.
        self._outgoing: Sequence[tuple[int, Outgoing]] = ()
        self._version = 0
        self._sections: Sections | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the turn waits for another actor."""
        return self._trial.is_waiting

    def now_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return self._services.clock.now_ms()

    def received(self) -> t.Received:
        """Return what is known of the envelope when its turn comes."""
        services, envelope = self._services, self._arrival.envelope
        # Of a tick there is more to look up than whether it has run.
        is_next = not envelope.reminder and self._activation.ledger.is_next(envelope)
        return t.Received(services.clock.now_ms(), services.cancels.has(envelope), is_next)

    async def look_up(self) -> t.Event:
        """Ask whether the envelope's key has run."""
        try:
            found = await self._activation.ledger.look_up(self._arrival.envelope)
        except PlatformError as error:
            return self._lost("look up", error)
        return replace(found, now_ms=self.now_ms()) if isinstance(found, t.Conflict) else found

    async def charge(self) -> t.Event:
        """Have a crash of this run charged to the envelope."""
        try:
            crashes = await self._trial.charge()
        except PlatformError as error:
            return self._lost("charge", error)
        return t.Charged(crashes, self.now_ms())

    async def run(self, attempt: int) -> t.Event:
        """Run the method; its tells and its state wait for the commit."""
        if (parking := self._activation.parking) is not None:
            parking.runs(self._arrival)
        envelope = self._arrival.envelope
        if attempt != envelope.attempt:
            envelope = replace(envelope, attempt=attempt)
        sections = self._sections = self._sections_of(envelope)
        context = self._context = self._context_of(envelope, sections)
        try:
            if not self._trial.start_nowait():
                await self._trial.start()
            with entered(context):
                reply = await self._result(envelope, context)
            self._state = self._activation.dump()
        except TurnInterruptedError as interruption:
            self._activation.roll_back()
            return self._interrupted(interruption)
        except BaseException as error:
            if self._host.ends_with(error):
                raise
            # User code may raise anything, its own cancellation included; core decides what it means.
            raised = self._raised(failure_of(error))
            return raised if sections is None else sections.lost or raised
        finally:
            context.finish()
            self._trial.stop()
        returned = t.Returned(reply)
        return returned if sections is None else sections.lost or returned

    async def pause(self, seconds: float) -> t.Event:
        """Hold the lane."""
        await self._services.clock.sleep(seconds)
        return t.Paused()

    async def commit(self, commit: t.Commit) -> t.Event:
        """Make the outcome durable."""
        if not commit.keep:
            self._activation.roll_back()
            self._state = None
        activation, context = self._activation, self._context if commit.keep else None
        wound = self._wound(context)
        timers = NO_TIMERS if context is None else context.timers
        own = wound.ticks if context is None else [*context.outgoing, *wound.ticks]
        outgoing = [*own, *commit.outgoing]
        outbox, targets = _packed(own, commit.outgoing) if outgoing and activation.spec.durable else ((), ())
        outcome = Outcome(
            self._arrival.envelope,
            commit,
            self._state,
            self._retention_seconds,
            activation.parking is not None,
            outbox,
            targets,
            wound.changes,
            None if self._sections is None else self._sections_over(commit),
            commit.answer is not None
            and self._is_last(commit, is_more=bool(outgoing or timers or wound.changes)),
        )
        try:
            result = await activation.ledger.commit(outcome)
        except PlatformError as error:
            return self._lost("commit", error)
        if not isinstance(result, t.Committed):
            self._trial.fenced()
            return result
        activation.committed(self._state)
        self._outgoing = numbered(outgoing, result.marks) if outgoing else ()
        if outgoing:
            # Read at once: turns that overlap this one commit, too.
            self._version = activation.ledger.version
        if timers:
            self._host.wind(activation.address, timers, self._arrival.subscription)
        if (why := commit.suspension) is not None:
            event = ActorSuspended(activation.address, why.cause, why.error)
            self._services.observer.observe(event)
        # Of what was committed before, all may have left since.
        return result if self._outgoing else t.SENDS_NOTHING[result.answered]

    async def dispatch(self) -> t.Event:
        """Publish what the turn sends, in order and without waiting between."""
        try:
            await self._activation.ledger.outbox.send(self._version, self._outgoing)
        except (BrokerUnavailableError, StoreUnavailableError, MailboxFullError) as error:
            return self._lost("dispatch", error)
        except PlatformError as error:
            return self._refused(error)
        return t.SENT

    async def answer(self, reply: Reply) -> t.Event:
        """Give the caller its reply, if there still is a caller."""
        envelope = self._arrival.envelope
        try:
            reached = await self._services.replies.send(envelope.reply_to, envelope.correlation_id, reply)
        except PlatformError as error:
            self._services.observer.observe(ReplyUndelivered(envelope.address, str(error)))
            return t.ANSWERED
        await self._told()
        if reached:
            return t.ANSWERED
        self._services.observer.observe(ReplyUndelivered(envelope.address, "the caller is gone"))
        return await self._bury_untold(reply)

    async def _told(self) -> None:
        """See to it that nobody else gives the caller its reply once more."""
        if self._activation.parking is None:
            # It runs beside the lane.
            return
        try:
            await self._activation.ledger.answered()
        except PlatformError as error:
            self._services.observer.observe(Trouble(f"reply of {self._activation.address}", str(error)))

    async def _bury_untold(self, reply: Reply) -> t.Event:
        """Keep a failure whose caller is gone, for otherwise nobody would ever know of it."""
        error = read(reply)
        if not isinstance(error, ErrorRecord):
            return t.ANSWERED
        reason = Reason.REJECTED if error.kind in BUSINESS_KINDS else Reason.FAILED
        origin = self._arrival.subscription.mailbox
        letter = of_envelope(self._arrival.envelope, reason, error, origin=origin, now_ms=self.now_ms())
        try:
            await self._services.dispatch.send(letter)
        except PlatformError as failure:
            return self._lost("dead letter", failure)
        return t.ANSWERED

    @property
    def chain(self) -> tuple[str, ...]:
        """The actors that wait for the turn, outermost first."""
        return self._arrival.envelope.chain

    def reads(self, call_id: str) -> bool:
        """Return whether the turn holds the stream of *call_id*."""
        return self._context is not None and self._context.reads(call_id)

    def ack(self, outcome: str, turn: t.Turn) -> None:
        """End: let the broker forget the delivery."""
        if outcome in {"expired", "cancelled"}:
            self._activation.ledger.close(self._arrival.envelope)
        parking = self._activation.parking
        # What was parked while it ran is acknowledged already.
        if parking is None or not parking.runs_head:
            self._arrival.ack()
        self._observe(outcome, turn)

    def abandon(self, turn: t.Turn) -> None:
        """End: somebody else owns the actor, or nothing is known. Give the mailbox back."""
        self._arrival.subscription.abandon()
        self._observe("abandoned", turn)

    def _wound(self, context: TurnContext | None) -> Wound:
        """Return what becomes of the actor's reminders with a commit of what *context* recorded."""
        return NOT_WOUND if context is None else context.wound()

    def _is_last(self, commit: t.Commit, *, is_more: bool) -> bool:
        """Return whether nothing comes after *commit* that its caller could miss when it looks."""
        if is_more or commit.suspension is not None or commit.head is not None:
            return False
        # What interleaves sees the last commit that this worker knows of.
        return not self._activation.spec.interleaved

    def _sections_of(self, envelope: Envelope) -> Sections | None:
        subject = self._activation
        if not isinstance(subject, Snapshot):
            return None
        give_back = self._arrival.subscription.abandon
        return Sections(envelope.lineage, subject, self._services, self._host, give_back)

    def _sections_over(self, commit: t.Commit) -> SectionMark | None:
        # A retry that is still to come runs them again.
        is_retried = any(item.destination is Destination.DELAY for item in commit.outgoing)
        # So does another call with the key of one that failed and has no record.
        key = self._arrival.envelope.key
        is_called_again = commit.reply is None and key and not key.startswith("r:")
        return None if self._sections is None or is_retried or is_called_again else self._sections.over

    @property
    def _retention_seconds(self) -> int:
        return self._activation.spec.options.key_retention_seconds

    @property
    def _waiting(self) -> Waiting:
        """Who is told when the turn waits for somebody else."""
        return self._trial

    def _context_of(self, envelope: Envelope, sections: Sections | None) -> TurnContext:
        ledger = self._activation.ledger
        return TurnContext(envelope, self._services, ledger=ledger, waiting=self._waiting, sections=sections)

    def _result(self, envelope: Envelope, _context: TurnContext) -> Awaitable[Reply]:
        return invoke(self._activation, envelope, self._services)

    def _interrupted(self, interruption: TurnInterruptedError) -> t.Event:
        if isinstance(interruption.event, t.Fenced):
            self._trial.fenced()
        self._services.observer.observe(Trouble(f"run of {self._activation.address}", str(interruption)))
        return interruption.event

    def _raised(self, error: ErrorRecord) -> t.Raised:
        self._activation.roll_back()
        return t.Raised(error, self.now_ms(), self._services.clock.chance())

    def _refused(self, error: PlatformError) -> t.Refused:
        self._services.observer.observe(Trouble(f"dispatch of {self._activation.address}", str(error)))
        return t.Refused(failure_of(error), self.now_ms(), self._services.clock.chance())

    def _lost(self, where: str, error: PlatformError) -> t.Lost:
        self._services.observer.observe(Trouble(f"{where} of {self._activation.address}", str(error)))
        return t.Lost()

    def _observe(self, outcome: str, turn: t.Turn) -> None:
        envelope = self._arrival.envelope
        self.rest = turn.rest
        error = summary(turn.error) if turn.error is not None and outcome != "ok" else ""
        seconds = self._services.clock.monotonic_seconds() - self._arrival.arrived_seconds
        who, what, identity = envelope.address, envelope.method, envelope.identity
        event = TurnEnded(who, what, identity, outcome, turn.attempt, error, seconds)
        self._services.observer.observe(event)


def _packed(own: Sequence[Outgoing], more: Sequence[Outgoing]) -> tuple[Sequence[bytes], Sequence[str]]:
    """Return what is sent as it lies in the outbox, and whom each item is for."""
    # What the protocol sends has a key, or is a dead letter.
    targets = [item.target for item in own] + [""] * len(more)
    return [pack(item) for item in (*own, *more)], targets


def _terms_of(trial: Trial, activation: Subject, *, overflows: bool) -> Terms:
    arrival, parks = trial.arrival, activation.parking is not None
    terms = _usual_terms(activation.spec, arrival.envelope.method, arrival.subscription.mailbox, parks)
    suspect, suspension, faults_ms = trial.is_suspect, activation.suspension, activation.faults_ms
    if not (suspect or arrival.is_parked or overflows or suspension or faults_ms or arrival.unreadable):
        return terms
    return replace(
        terms,
        suspect=suspect,
        parked=arrival.is_parked,
        overflows=overflows,
        suspension=suspension,
        faults_ms=faults_ms,
        unreadable=arrival.unreadable,
    )


@lru_cache(_TERMS_KEPT)
def _usual_terms(spec: ActorSpec, method: str, mailbox: str, parks: bool) -> Terms:  # noqa: FBT001 - what is cached
    options, found = spec.options, spec.methods.get(method)
    return Terms(
        options.retry if found is None or found.retry is None else found.retry,
        spec.durable,
        mailbox,
        blocks=parks and options.on_failure == "block",
        parks=parks,
        restarts=options.restarts if parks else None,
    )
