"""Envelopes whose last worker died with them in hand: one of them may have killed it.

Invariant: whatever a trial holds of the process (its place beside others, or alone) and of the
store (its charges) is let go when the trial ends, however it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.runtime.arrival import Arrival
from broker_actors.runtime.charges import Charges
from broker_actors.runtime.services import Services
from broker_actors.runtime.solitude import Solitude


class Suspects:
    """The trials of one worker."""

    def __init__(self, services: Services, waits: Callable[[int], None]) -> None:
        self.services = services
        self.solitude = Solitude()
        #: Counts a turn as waiting: then it takes no place from those that run.
        self.waits = waits

    def trial(self, arrival: Arrival) -> Trial:
        """Return how the run of *arrival* is watched."""
        return Trial(arrival, self)


class Trial:
    """The run of one envelope, suspect or not."""

    __slots__ = (
        "_changing",
        "_charges",
        "_is_in",
        "_parting",
        "_runs",
        "_suspects",
        "_was_fenced",
        "arrival",
        "is_waiting",
    )

    def __init__(self, arrival: Arrival, suspects: Suspects) -> None:
        self.arrival = arrival
        #: Whether the run waits for another actor.
        self.is_waiting = False
        self._suspects = suspects
        #: Of a suspect, once it is charged.
        self._charges: Charges | None = None
        #: Ends its being alone after a while.
        self._parting: asyncio.Task[None] | None = None
        #: Whether its method runs, or waits for an answer.
        self._runs = False
        #: Whether it has its place beside others, or is charged.
        self._is_in = False
        self._was_fenced = False
        #: Several asks of one run may begin and end at once; made when the first one does.
        self._changing: asyncio.Lock | None = None

    @property
    def is_charged(self) -> bool:
        """Whether its end must be noted in the store."""
        return self._charges is not None

    @property
    def is_suspect(self) -> bool:
        """Whether the worker that held the envelope before died with it in hand."""
        if not self.arrival.delivery.redelivered:
            return False
        orderly = self.arrival.subscription.orderly
        return orderly is not None and orderly.done() and not orderly.cancelled() and not orderly.result()

    async def charge(self) -> int:
        """Note that the run begins; return how many before it began and never ended.

        Raises:
            PlatformError: the store did not answer.

        """
        store, address = self._suspects.services.store, self.arrival.envelope.address
        charges = self._charges = Charges(store, address, self._identity(), self._suspects.solitude)
        return await self._begin(charges)

    def start_nowait(self) -> bool:
        """Take note that the method is about to run, as nearly always; return False if it must wait."""
        # It has asked nothing yet, so that nobody else changes what it is.
        if self._charges is not None or not self._suspects.solitude.enter_nowait():
            return False
        self._runs = self._is_in = True
        return True

    async def start(self) -> None:
        """Take note that the method is about to run; wait while somebody else is alone."""
        self._runs = True
        await self.go_on()

    def stop(self) -> None:
        """Take note that the method has ended."""
        self._runs = False
        if self._charges is None and self._is_in:
            self._is_in = False
            self._suspects.solitude.leave()

    def waits(self, change: int) -> None:
        """Count the run as waiting, or no more: then it takes no place from those that run."""
        self.is_waiting = change > 0
        self._suspects.waits(change)

    async def pause(self) -> None:
        """Take note that the run waits for another actor, which may be a suspect, too. Idempotent."""
        async with self._one_change():
            if not self._is_in:
                return
            self._is_in = False
            if self._charges is None:
                self._suspects.solitude.leave()
                return
            await self._settle()
            try:
                await self._charges.pause()
            except PlatformError as error:
                self._trouble("discharge", error)

    async def go_on(self) -> None:
        """Take note that the run waits no more. Idempotent."""
        async with self._one_change():
            if self._is_in or not self._runs:
                return
            if self._charges is None:
                await self._suspects.solitude.enter()
                self._is_in = True
            else:
                try:
                    await self._begin(self._charges)
                except PlatformError as error:
                    self._trouble("charge", error)
        if self._has_stopped():
            # It ended meanwhile, without waiting for what it had asked.
            await self.pause()

    def fenced(self) -> None:
        """Take note that somebody else took the actor while it ran: it may have blocked its worker."""
        self._was_fenced = True

    async def end(self) -> None:
        """Note that the run has ended, however. Never raises for a store that is away."""
        self.stop()
        charges = self._charges
        if charges is None:
            return
        try:
            await self._settle()
            if not self._was_fenced:
                await charges.forget()
        except PlatformError as error:
            self._trouble("discharge", error)
        finally:
            charges.leave()

    def _one_change(self) -> asyncio.Lock:
        if self._changing is None:
            self._changing = asyncio.Lock()
        return self._changing

    def _has_stopped(self) -> bool:
        return not self._runs

    async def _begin(self, charges: Charges) -> int:
        self._is_in = True
        self._suspects.waits(+1)
        try:
            crashes = await charges.begin()
        finally:
            self._suspects.waits(-1)
        if charges.alone_seconds:
            self._parting = asyncio.create_task(self._part(charges, charges.alone_seconds))
        return crashes

    async def _part(self, charges: Charges, seconds: float) -> None:
        await self._suspects.services.clock.sleep(seconds)
        try:
            await charges.join_others()
        except PlatformError as error:
            self._trouble("charge", error)

    async def _settle(self) -> None:
        """End what would let others in later; raises what only a bug can have raised there."""
        parting, self._parting = self._parting, None
        if parting is not None:
            parting.cancel()
            await asyncio.wait([parting])
            if not parting.cancelled():
                parting.result()

    def _trouble(self, what: str, error: PlatformError) -> None:
        where = f"{what} of {self.arrival.envelope.address}"
        self._suspects.services.observer.observe(Trouble(where, str(error)))

    def _identity(self) -> str:
        envelope, message = self.arrival.envelope, self.arrival.delivery.message
        if envelope.key or (envelope.sender and envelope.seq):
            return envelope.identity
        # A foreign envelope: its own identity here is new with each delivery.
        content = f"{message.message_id}\0{message.type}\0".encode() + message.body
        return "b:" + blake2b(content, digest_size=16).hexdigest()


class Uncounted:
    """A trial whose run takes no place from others at all, whether it waits or not."""

    def __init__(self, trial: Trial) -> None:
        self.pause = trial.pause
        self.go_on = trial.go_on

    def waits(self, change: int) -> None:
        """Do nothing."""
