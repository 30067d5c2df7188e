"""Looks whether another run of the store answers than before, and then what it has lost.

A worker meets a store that has gone back when it commits or claims again. But the next one
who claims an actor may be a worker that knows nothing of it. So whoever knew more compares
by itself, as soon as another run of the store answers. Invariant: what is known and was not
compared since then is still to be compared, however often the store is away meanwhile.
"""

from __future__ import annotations

from itertools import islice
from typing import Protocol

from broker_actors.core.address import Address
from broker_actors.core.errors import PlatformError, StoreUnavailableError
from broker_actors.core.events import Trouble
from broker_actors.core.turn import Fenced
from broker_actors.ports.origins import VERSIONS_READ_MAX
from broker_actors.ports.outbox_numbers import OutboxNumbers
from broker_actors.ports.store import Commit
from broker_actors.runtime.directory import Directory
from broker_actors.runtime.ledger import INCARNATION_CHARACTERS
from broker_actors.runtime.services import Services


class Residence(Protocol):
    """Where actors are live."""

    @property
    def directory(self) -> Directory:
        """What is live, and what is known of what was."""
        ...

    def let_go(self) -> None:
        """Passivate every actor when its lane comes to it."""
        ...


class Lookout:
    """What one worker knows of the run of its store."""

    def __init__(self, services: Services, residence: Residence) -> None:
        self._services = services
        self._residence = residence
        #: Empty before the first look.
        self._origin = ""
        #: How many commits were known of actors when another run answered; those not compared yet.
        self._uncompared: dict[Address, int] = {}
        self._is_in_trouble = False

    async def look(self) -> None:
        """Look at the store. Never raises for a store that is away: what is left is done next time."""
        try:
            await self._notice(await self._services.store.origin())
        except PlatformError as error:
            if not self._is_in_trouble:
                self._services.observer.observe(Trouble("look at the store", str(error)))
            self._is_in_trouble = True
        else:
            self._is_in_trouble = False

    async def _notice(self, origin: str) -> None:
        if self._origin not in {"", origin}:
            # Before anything is let go, for a live actor is what knows its version.
            self._uncompared |= self._residence.directory.known()
            self._residence.let_go()
        self._origin = origin
        while page := dict(islice(self._uncompared.items(), VERSIONS_READ_MAX)):
            found = await self._services.store.versions(list(page))
            for (address, version), in_store in zip(page.items(), found, strict=True):
                if in_store < version:
                    await self._went_back(address, version, in_store)
                del self._uncompared[address]

    async def _went_back(self, address: Address, version: int, found: int) -> None:
        directory = self._residence.directory
        if directory.went_back(address, version, found):
            await self._renew(address)
            directory.renewed(address, version)

    async def _renew(self, address: Address) -> None:
        """Let *address* number what it sends as a new sender, also if somebody else has it now."""
        store, token = self._services.store, self._services.clock.token
        claim = await store.claim(address, token())
        numbers = OutboxNumbers(token()[:INCARNATION_CHARACTERS], renew=True)
        if isinstance(await store.commit(Commit(claim, token(), numbers=numbers)), Fenced):
            raise StoreUnavailableError(f"{address} was claimed by somebody else meanwhile")
