"""The live actors of one worker, least recently used first.

Invariant: what is in the directory holds the newest claim this process knows of; an
activation whose commit was fenced, or whose mailbox was lost, leaves it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from broker_actors.actor.spec import ActorSpec, actor, spec_of
from broker_actors.core.address import Address
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import StoreRolledBack, Trouble
from broker_actors.core.past import Known, Past, kept
from broker_actors.core.unsent import Backlog
from broker_actors.ports.commit import Claim
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.ledger import Ledger, StoreLedger
from broker_actors.runtime.leftovers import send_leftovers
from broker_actors.runtime.lifting import lifted
from broker_actors.runtime.no_ledger import NoLedger
from broker_actors.runtime.outbox import StoreOutbox
from broker_actors.runtime.parking import ParkedBytes
from broker_actors.runtime.services import Services
from broker_actors.runtime.shared_ledger import SharedLedger

#: Actors that were live here of which the version is remembered, to know a store that has gone back.
VERSIONS_MAX: Final = 100_000
#: How many of those beyond the cap are looked at for each turn, on average.
SURPLUS_PER_TURN: Final = 16


@actor(delivery="at_least_once")
class _Unknown:
    """A type this worker does not know: it has no methods, so every call is retried elsewhere."""


_UNKNOWN: Final = spec_of(_Unknown)


@dataclass(frozen=True, slots=True)
class Passivate:
    """An item in a lane: drop the activation when its turn comes.

    Attributes:
        address: the actor.
        if_idle: only if no interleaved turn of it runs by then.

    """

    address: Address
    if_idle: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of an actor that was live here, and whether it was said that the store has lost it."""

    known: Known
    is_told: bool = False


class Directory:
    """Activations by address."""

    def __init__(
        self,
        services: Services,
        specs: Mapping[str, ActorSpec],
        residents_max: int,
        left: Callable[[Activation], None] = lambda _activation: None,
    ) -> None:
        #: Told of each activation that leaves.
        self._left = left
        self._services = services
        self._specs = specs
        self._residents_max = residents_max
        #: What all actors have parked together.
        self.parked = ParkedBytes()
        self._live: dict[Address, Activation] = {}
        #: Turns that may begin before what is live beyond the cap is looked through again.
        self._unlooked = 0
        self._claiming: dict[Address, asyncio.Event] = {}
        #: What was known of actors that were live here, the latest last.
        self._known: dict[Address, _Told] = {}

    def __len__(self) -> int:
        """How many actors are live."""
        return len(self._live)

    async def activate(self, address: Address, mailbox: str) -> Activation | None:
        """Return the activation of *address*, which *mailbox* is served for, claiming the actor if need be.

        None when the store does not answer, so that nothing can be known.
        """
        while (claiming := self._claiming.get(address)) is not None:
            # Turns that overlap would fence each other. Who waits claims itself if that one failed.
            await claiming.wait()
        activation = self._live.pop(address, None)
        if activation is not None and activation.suspension is not None and not activation.is_in_use:
            # It may have been resumed since. There is no instance that a hook would have to look after.
            self._remember(activation)
            activation = None
        if activation is None:
            claiming = self._claiming[address] = asyncio.Event()
            try:
                activation = await self._claim(address, mailbox)
            except PlatformError as error:
                self._services.observer.observe(Trouble(f"claim of {address}", str(error)))
                return None
            finally:
                del self._claiming[address]
                claiming.set()
        activation.last_used_seconds = self._services.clock.monotonic_seconds()
        # Inserted anew, so that the dict's order is the order of last use.
        self._live[address] = activation
        return activation

    def in_use(self, address: Address, now_seconds: float) -> Activation | None:
        """Return what `activate` would, if that needs nothing but to look it up."""
        activation = None if self._claiming else self._live.pop(address, None)
        if activation is None:
            return None
        # Inserted anew, so that the dict's order is the order of last use.
        self._live[address] = activation
        if activation.suspension is not None:
            return None
        activation.last_used_seconds = now_seconds
        return activation

    def get(self, address: Address) -> Activation | None:
        """Return the activation of *address*, if it is live."""
        return self._live.get(address)

    async def passivate(self, address: Address, *, if_idle: bool = False) -> None:
        """Drop the activation of *address*, if it is live; its hook waits for the turns that run."""
        activation = self._live.get(address)
        if activation is not None and not (if_idle and activation.is_in_use):
            await self.drop(activation)

    async def drop(self, activation: Activation) -> None:
        """Drop *activation*, if it is still live."""
        if self._live.get(activation.address) is activation:
            del self._live[activation.address]
            self._remember(activation)
            await self._deactivate(activation, activation.deactivate())

    async def end(self, activation: Activation) -> None:
        """Run the hook of *activation*, which has left, now that its last turn ended."""
        await self._deactivate(activation, activation.deactivate())

    def discard(self, activation: Activation) -> None:
        """Forget *activation* without its hook: it is not what was last committed."""
        if self._live.get(activation.address) is activation:
            del self._live[activation.address]
            self._remember(activation)

    def idle(self, now_seconds: float) -> list[Address]:
        """Return what has been idle for the `idle_timeout` of its type."""
        return [
            address
            for address, activation in self._live.items()
            if now_seconds - activation.last_used_seconds >= activation.spec.options.idle_timeout_seconds
        ]

    def surplus(self) -> list[Address]:
        """Return the least recently used of what is live beyond the cap, to be asked for before each turn.

        Nothing, if that was answered so few turns ago: those found wait for their turn to leave, and
        looking at all of them in each turn costs more than the turns once thousands wait.
        """
        if self._unlooked > 0:
            self._unlooked -= 1
            return []
        if len(self._live) <= self._residents_max:
            return []
        found = list(islice(self._live, len(self._live) - self._residents_max))
        self._unlooked = len(found) // SURPLUS_PER_TURN
        return found

    def of_mailbox(self, mailbox: str) -> list[Address]:
        """Return what is served from *mailbox*."""
        return [address for address, activation in self._live.items() if activation.mailbox == mailbox]

    def addresses(self) -> list[Address]:
        """Return what is live."""
        return list(self._live)

    def known(self) -> dict[Address, Known]:
        """Return what is known of each actor that is live here, or was."""
        known = {address: one.known for address, one in self._known.items()}
        return known | {address: _known_to(one) for address, one in self._live.items()}

    def compare(self, address: Address, known: Known, past: Past) -> None:
        """Say, if it is so and was not said, that the store has lost some of what was *known* of *address*.

        What was claimed here since then was compared by that.
        """
        activation = self._live.get(address)
        if activation is not None:
            if activation.ledger.epoch == known.epoch:
                activation.ledger.compare(kept(past, _known_to(activation)))
            return
        told = self._known.get(address, _Told(known))
        if told.known.epoch != known.epoch:
            return
        self._say(address, told, kept(past, told.known))
        if address in self._known:
            # From here on it is known what the store has, also of what others did.
            self._known[address] = _Told(Known(past.epoch, past.version))

    async def close(self) -> None:
        """Passivate everything."""
        for address in list(self._live):
            await self.passivate(address)

    async def _claim(self, address: Address, mailbox: str) -> Activation:
        spec = self._specs.get(address.type) or _UNKNOWN
        if not spec.durable:
            return Activation(address, spec, NoLedger(self._services.dispatch), None, mailbox)
        taken = await self._services.store.claim(address, self._services.clock.token())
        claim = await lifted(taken, spec, self._services)
        backlog = await self._dispatch_leftovers(claim)
        outbox = StoreOutbox(self._services, address, claim.epoch, backlog, is_empty=not claim.outbox)
        stored = StoreLedger(self._services, claim, outbox, self.parked)
        await self._compare(taken, stored)
        ledger: Ledger = SharedLedger(stored)
        return Activation(address, spec, ledger, claim.state, mailbox)

    async def _deactivate(self, activation: Activation, deactivating: Coroutine[None, None, None]) -> None:
        try:
            await deactivating
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's hook may raise anything; the actor leaves
            self._services.observer.observe(Trouble(f"deactivate of {activation.address}", repr(error)))

    async def _compare(self, claim: Claim, ledger: StoreLedger) -> None:
        """Say that the store has gone back, if it has, and let the actor become a new sender.

        What it sent before has numbers that it would give again, to something else.
        """
        told = self._known.get(claim.address, _Told(Known(0, 0)))
        found = kept(Past(claim.epoch, claim.version, claim.resumptions), told.known)
        if found < told.known.version:
            self._say(claim.address, told, found)
            self._known[claim.address] = replace(told, is_told=True)
            await ledger.renew()
        self._known.pop(claim.address, None)

    def _say(self, address: Address, told: _Told, found: int) -> None:
        if found < told.known.version and not told.is_told:
            self._services.observer.observe(StoreRolledBack(address, told.known.version, found))

    def _remember(self, activation: Activation) -> None:
        self._left(activation)
        ledger = activation.ledger
        if ledger.version:
            self._known.pop(activation.address, None)
            self._known[activation.address] = _Told(_known_to(activation), is_told=ledger.rolled_back)
            if len(self._known) > VERSIONS_MAX:
                del self._known[next(iter(self._known))]

    async def _dispatch_leftovers(self, claim: Claim) -> Backlog:
        """Send what a predecessor committed and did not get confirmed, before anything newer."""
        return await send_leftovers(self._services, claim.address, claim.outbox)


def _known_to(activation: Activation) -> Known:
    return Known(activation.ledger.epoch, activation.ledger.version)
