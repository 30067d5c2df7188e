"""Runtimes and stores with one fault each: a simulation that does not see them proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from unittest.mock import AsyncMock, patch

from broker_actors import dispatch
from broker_actors.adapters.memory.actors import MemoryActor
from broker_actors.adapters.memory.queue import MemoryQueue
from broker_actors.adapters.memory.queue import Subscription as BrokerSide
from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.core.reminders import Reminder, Ticked, judge
from broker_actors.core.reply import Reply
from broker_actors.core.rhythm import Missed
from broker_actors.core.unsent import Backlog
from broker_actors.ports.commit import Acceptance, Claim, Commit, OutboxKey
from broker_actors.runtime import directory, ticking
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.ledger import StoreLedger
from broker_actors.runtime.lookout import Lookout
from broker_actors.runtime.numbers import Numbers
from broker_actors.runtime.order import Order
from broker_actors.runtime.outbox import StoreOutbox
from broker_actors.runtime.parking import ParkedBytes, Parking
from broker_actors.runtime.relay import Relay
from broker_actors.runtime.relief import Relief
from broker_actors.runtime.services import Services
from broker_actors.runtime.steps import Steps
from tests.simulation.models import SimQueue, SimStore

Mutant = Callable[[], AbstractContextManager[object]]


def no_fence() -> AbstractContextManager[object]:
    """Let whoever commits commit, whoever holds the claim."""
    checked = SimStore._committed

    def committed(self: SimStore, actor: MemoryActor, commit: Commit) -> t.Committed | t.Fenced:
        claim = commit.claim
        actor.epoch, actor.nonce, actor.version = claim.epoch, claim.nonce, commit.version
        return checked(self, actor, commit)

    return patch.object(SimStore, "_committed", committed)


def ack_before_commit() -> AbstractContextManager[object]:
    """Let the broker forget a message whose outcome is not durable yet."""
    right = Steps.commit

    async def commit(self: Steps, command: t.Commit) -> t.Event:
        self._arrival.delivery.ack()
        return await right(self, command)

    return patch.object(Steps, "commit", commit)


def no_dedup() -> AbstractContextManager[object]:
    """Take every numbered envelope for a new one."""

    async def look_up(self: Numbers, envelope: Envelope, now_ms: int) -> t.Fresh:
        del self, envelope, now_ms
        return t.Fresh()

    return patch.object(Numbers, "look_up", look_up)


def high_water_mark() -> AbstractContextManager[object]:
    """Take every number below the highest for accepted."""
    return patch.object(Accepted, "__contains__", lambda self, number: number <= self.high)


def dispatch_before_commit() -> AbstractContextManager[object]:
    """Send what a turn tells others before it is certain that the turn happened."""
    right = Steps.commit

    async def commit(self: Steps, command: t.Commit) -> t.Event:
        told = self._context.outgoing if self._context is not None and command.keep else []
        sends = [self._services.dispatch.send(item) for item in told]
        await asyncio.gather(*sends, return_exceptions=True)
        return await right(self, command)

    return patch.object(Steps, "commit", commit)


def abandon_without_close() -> AbstractContextManager[object]:
    """Give a mailbox up, and keep what it has delivered."""
    return patch.object(Subscription, "abandon", Subscription.lose)


def reply_before_commit() -> AbstractContextManager[object]:
    """Answer before it is certain that the turn happened."""
    right = Steps.commit

    async def commit(self: Steps, command: t.Commit) -> t.Event:
        if command.answer is not None:
            await self.answer(command.answer)
        return await right(self, command)

    return patch.object(Steps, "commit", commit)


def fenced_is_committed() -> AbstractContextManager[object]:
    """Go on after a commit that was refused."""
    right = Steps.commit

    async def commit(self: Steps, command: t.Commit) -> t.Event:
        result = await right(self, command)
        return t.Committed() if isinstance(result, t.Fenced) else result

    return patch.object(Steps, "commit", commit)


def failure_leaves_tells() -> AbstractContextManager[object]:
    """Send what a failed run told others."""
    right = Steps.commit

    async def commit(self: Steps, command: t.Commit) -> t.Event:
        if not command.keep and self._context is not None:
            command = replace(command, outgoing=(*self._context.outgoing, *command.outgoing))
        return await right(self, command)

    return patch.object(Steps, "commit", commit)


def no_rollback() -> AbstractContextManager[object]:
    """Let the next run begin with what a failed one left of the state."""
    return patch.object(Activation, "roll_back", lambda _self: None)


def answers_not_kept() -> AbstractContextManager[object]:
    """Accept a numbered ask, and not remember what it was answered."""
    right = Numbers.acceptance

    def acceptance(
        self: Numbers, envelope: Envelope, answer: Reply | None, retention_seconds: int, now_ms: int
    ) -> Acceptance | None:
        del answer
        return right(self, envelope, None, retention_seconds, now_ms)

    return patch.object(Numbers, "acceptance", acceptance)


def leftovers_wait() -> AbstractContextManager[object]:
    """Leave to the relay what a predecessor committed and did not send, and send newer things first."""

    async def dispatch_leftovers(self: Directory, claim: Claim) -> Backlog:
        del self, claim
        return Backlog()

    return patch.object(Directory, "_dispatch_leftovers", dispatch_leftovers)


def crashes_not_counted() -> AbstractContextManager[object]:
    """Take every crash for the first one."""

    async def charge(self: SimStore, address: Address, identity: str, *, at_most: int) -> int:
        del self, address, identity, at_most
        return 1

    return patch.object(SimStore, "charge", charge)


def trim_by_count() -> AbstractContextManager[object]:
    """Clear as many items of an outbox as were confirmed, and not those."""

    async def dispatched(self: SimStore, address: Address, keys: Sequence[OutboxKey]) -> None:
        await self._step()
        outbox = self._actors[address].outbox
        for key in list(outbox)[: len(keys)]:
            del outbox[key]
        await self._step()

    return patch.object(SimStore, "dispatched", dispatched)


def cancel_before_close() -> AbstractContextManager[object]:
    """Let the next consumer have what comes later, before what the last one held has come back."""

    def unsubscribe(self: SimQueue, subscription: BrokerSide) -> None:
        back = [replace(entry, redelivered=True) for entry in subscription.unacked.values()]
        subscription.unacked.clear()
        MemoryQueue.unsubscribe(self, subscription)
        self.returned.extend(back)
        self._hand_out()

    return patch.object(SimQueue, "unsubscribe", unsubscribe)


def crowded_windows() -> AbstractContextManager[object]:
    """Let a window fill up with what waits for something behind it."""
    return patch.object(Relief, "_look")


def parked_and_not_accepted() -> AbstractContextManager[object]:
    """Park what is numbered without remembering its number."""
    right = Numbers.parkable

    async def parkable(
        self: Numbers, envelopes: Sequence[Envelope], now_ms: int
    ) -> tuple[list[bool], dict[str, Accepted]]:
        found, _ = await right(self, envelopes, now_ms)
        return found, {}

    return patch.object(Numbers, "parkable", parkable)


def nothing_beneath() -> AbstractContextManager[object]:
    """Park what waits behind a turn, and not what runs."""
    return patch.object(Parking, "is_beneath", property(lambda _self: False))


def parking_passed_by() -> AbstractContextManager[object]:
    """Run what comes although something is parked."""

    async def take(self: Order, activation: Activation, item: Arrival, *, draining: bool) -> None:
        del draining
        await self._turn(activation, item)

    return patch.object(Order, "take", take)


def parking_forgotten() -> AbstractContextManager[object]:
    """Wake nobody whose worker died."""

    async def wake(self: Relay, actor_type: str) -> int:
        del self, actor_type
        return 0

    return patch.object(Relay, "wake", wake)


def suspended_run() -> AbstractContextManager[object]:
    """Run what comes for a suspended actor."""
    return patch.object(Activation, "suspension", None)


def suspension_forgotten() -> AbstractContextManager[object]:
    """Let the next one who takes a suspended actor up know nothing of it."""
    right = StoreLedger.__init__

    def init(
        self: StoreLedger, services: Services, claim: Claim, outbox: StoreOutbox, in_all: ParkedBytes
    ) -> None:
        right(self, services, replace(claim, suspension=None), outbox, in_all)

    return patch.object(StoreLedger, "__init__", init)


def rollback_unseen() -> AbstractContextManager[object]:
    """Go on with the numbers of before when the store has gone back."""

    async def compare(self: Directory, claim: Claim, ledger: StoreLedger) -> None:
        del self, claim, ledger

    async def look(self: Lookout) -> None:
        del self

    patches = ExitStack()
    patches.enter_context(patch.object(Directory, "_compare", compare))
    patches.enter_context(patch.object(Lookout, "look", look))
    return patches


def versions_alone() -> AbstractContextManager[object]:
    """Take a store for the one of before that has as many commits."""
    return patch.object(directory, "kept", lambda past, _known: past.version)


def numbers_go_on() -> AbstractContextManager[object]:
    """Go on with the numbers that are there, under whatever run of the store."""
    right = MemoryActor.claim

    def claim(self: MemoryActor, nonce: str, now_ms: int, run: str) -> None:
        incarnation = self.incarnation
        right(self, nonce, now_ms, run)
        self.incarnation = incarnation

    renewed = patch.object(StoreLedger, "renew", AsyncMock())
    patches = ExitStack()
    patches.enter_context(patch.object(MemoryActor, "claim", claim))
    patches.enter_context(renewed)
    return patches


def sections_uncounted() -> AbstractContextManager[object]:
    """Run every section of a turn that runs again as if it were new."""

    async def sections(self: StoreLedger, turn: str) -> int:
        del self, turn
        return 0

    return patch.object(StoreLedger, "sections", sections)


def layouts_unchecked() -> AbstractContextManager[object]:
    """Take whatever layout a class declares."""
    return patch.object(dispatch, "_check", lambda _layout, _declared: None)


def missed_ticks_skipped() -> AbstractContextManager[object]:
    """Let a reminder go on from the present, whatever it was told to make up for."""

    def skipping(reminder: Reminder, now_ms: int) -> Ticked:
        return judge(replace(reminder, plan=replace(reminder.plan, missed=Missed.ONCE)), now_ms)

    return patch.object(ticking, "judge", skipping)


def cancelled_run() -> AbstractContextManager[object]:
    """Say that a delayed tell will never run, and do nothing about it."""
    return patch.object(SimStore, "cancel", AsyncMock(return_value=True))


MUTANTS: Final[Mapping[str, Mutant]] = MappingProxyType(
    {
        "no fence": no_fence,
        "windows crowded": crowded_windows,
        "parked and not accepted": parked_and_not_accepted,
        "nothing parked beneath": nothing_beneath,
        "parking passed by": parking_passed_by,
        "parking forgotten": parking_forgotten,
        "suspended actors run": suspended_run,
        "suspension forgotten": suspension_forgotten,
        "ack before commit": ack_before_commit,
        "no dedup of numbers": no_dedup,
        "bare high-water mark": high_water_mark,
        "dispatch before commit": dispatch_before_commit,
        "reply before commit": reply_before_commit,
        "abandon without close": abandon_without_close,
        "fenced taken for committed": fenced_is_committed,
        "tells of a failed run leave": failure_leaves_tells,
        "no rollback": no_rollback,
        "answers not kept": answers_not_kept,
        "leftovers wait": leftovers_wait,
        "crashes not counted": crashes_not_counted,
        "outbox trimmed by count": trim_by_count,
        "hand-over by basic.cancel": cancel_before_close,
        "rollback unseen": rollback_unseen,
        "versions alone compared": versions_alone,
        "numbers go on after a rollback": numbers_go_on,
        "sections uncounted": sections_uncounted,
        "layouts unchecked": layouts_unchecked,
        "missed ticks skipped": missed_ticks_skipped,
        "cancelled tells run": cancelled_run,
    }
)
