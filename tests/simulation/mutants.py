"""Runtimes and stores with one fault each: a simulation that does not see them proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from unittest.mock import patch

from broker_actors.adapters.memory.queue import MemoryQueue
from broker_actors.adapters.memory.queue import Subscription as BrokerSide
from broker_actors.adapters.memory.store import _Actor
from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.ports.store import Commit, OutboxKey
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.numbers import Numbers
from broker_actors.runtime.steps import Steps
from tests.simulation.models import SimQueue, SimStore

Mutant = Callable[[], AbstractContextManager[object]]


def no_fence() -> AbstractContextManager[object]:
    """Let whoever commits commit, whoever holds the claim."""
    checked = SimStore._committed

    def committed(self: SimStore, actor: _Actor, commit: Commit) -> t.Committed | t.Fenced:
        claim = commit.claim
        actor.epoch, actor.nonce, actor.version = claim.epoch, claim.nonce, claim.version
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


MUTANTS: Final[Mapping[str, Mutant]] = MappingProxyType(
    {
        "no fence": no_fence,
        "ack before commit": ack_before_commit,
        "no dedup of numbers": no_dedup,
        "bare high-water mark": high_water_mark,
        "dispatch before commit": dispatch_before_commit,
        "reply before commit": reply_before_commit,
        "abandon without close": abandon_without_close,
        "outbox trimmed by count": trim_by_count,
        "hand-over by basic.cancel": cancel_before_close,
    }
)
