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
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.past import Known
from broker_actors.ports.origins import PASTS_READ_MAX
from broker_actors.runtime.directory import Directory
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
        #: What was known of actors when another run answered, of those that are not compared yet.
        self._uncompared: dict[Address, Known] = {}
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
        if self._origin != origin:
            # Before anything is let go, for a live actor is what knows its version. At first there is none.
            self._uncompared |= self._residence.directory.known()
            self._residence.let_go()
        self._origin = origin
        while page := dict(islice(self._uncompared.items(), PASTS_READ_MAX)):
            pasts = await self._services.store.pasts(list(page))
            for (address, known), past in zip(page.items(), pasts, strict=True):
                self._residence.directory.compare(address, known, past)
                del self._uncompared[address]
