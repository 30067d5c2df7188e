"""Envelopes whose last worker died with them in hand: one of them may have killed it.

Each run of a suspect is charged to it before it begins and discharged when it ends, so
what a crash leaves charged ran in that moment. At first suspects run beside each other
like everything else; who was there for `BESIDE_OTHERS_MAX` crashes runs with no other
such suspect of this process, so that in the end only the guilty one is charged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.verdict import CRASHES_MAX
from broker_actors.runtime.arrival import Arrival
from broker_actors.runtime.services import Services

#: Crashes a suspect may have been near before it runs apart from the others.
BESIDE_OTHERS_MAX: Final = 2


class Suspects:
    """The suspects of one worker."""

    def __init__(self, services: Services, waits: Callable[[int], None]) -> None:
        self.services = services
        #: Held by the one that runs apart.
        self.apart = asyncio.Lock()
        #: Counts a turn as waiting: then it takes no place from those that run.
        self.waits = waits

    def trial(self, arrival: Arrival) -> Trial:
        """Return how the run of *arrival* is watched."""
        return Trial(arrival, self)


class Trial:
    """The run of one envelope, suspect or not."""

    __slots__ = ("_is_apart", "_is_charged", "_suspects", "_was_fenced", "arrival")

    def __init__(self, arrival: Arrival, suspects: Suspects) -> None:
        self.arrival = arrival
        self._suspects = suspects
        self._is_charged = False
        self._is_apart = False
        self._was_fenced = False

    @property
    def is_suspect(self) -> bool:
        """Whether the worker that held the envelope before died with it in hand."""
        orderly = self.arrival.subscription.orderly
        if orderly is None or not orderly.done() or orderly.cancelled():
            return False
        return self.arrival.delivery.redelivered and not orderly.result()

    async def charge(self) -> int:
        """Note that the run begins; return how many before it began and never ended.

        Raises:
            PlatformError: the store did not answer.

        """
        self._is_charged = True
        begun = await self._charge(BESIDE_OTHERS_MAX)
        if begun > BESIDE_OTHERS_MAX:
            # Charged when it is its turn, and not while it waits for that.
            await self._go_apart()
            begun = await self._charge(CRASHES_MAX)
        return begun - 1

    async def _charge(self, at_most: int) -> int:
        address = self.arrival.envelope.address
        return await self._suspects.services.store.charge(address, self._identity(), at_most=at_most)

    async def _go_apart(self) -> None:
        self._suspects.waits(+1)
        try:
            await self._suspects.apart.acquire()
        finally:
            self._suspects.waits(-1)
        self._is_apart = True

    def fenced(self) -> None:
        """Take note that somebody else took the actor while it ran: it may have blocked its worker."""
        self._was_fenced = True

    def waits(self) -> None:
        """Take note that the run waits for another actor, which may be a suspect, too."""
        if self._is_apart:
            self._is_apart = False
            self._suspects.apart.release()

    async def end(self) -> None:
        """Note that the run has ended, however. Never raises for a store that is away."""
        self.waits()
        if not self._is_charged or self._was_fenced:
            return
        services, address = self._suspects.services, self.arrival.envelope.address
        try:
            await services.store.discharge(address, self._identity())
        except PlatformError as error:
            services.observer.observe(Trouble(f"discharge of {address}", str(error)))

    def _identity(self) -> str:
        envelope, message = self.arrival.envelope, self.arrival.delivery.message
        if envelope.key or (envelope.sender and envelope.seq):
            return envelope.identity
        # A foreign envelope: its own identity here is new with each delivery.
        content = f"{message.message_id}\0{message.type}\0".encode() + message.body
        return "b:" + blake2b(content, digest_size=16).hexdigest()
