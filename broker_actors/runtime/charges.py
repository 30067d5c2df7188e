"""To whom a crash is charged: what is counted in the store for one suspect while it runs.

There are two counts. Crashes it was near, beside others, say how urgently it must be looked at
alone. Crashes while it ran alone in its process are its own, and only they bring it to an end.
Invariant: a count is raised before the run it stands for begins or goes on, and taken back
before it ends or waits for somebody else: what a crash leaves counted ran in that moment.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.suspicion import ALONE_MAX, BESIDE_OTHERS_MAX, PATIENCE_SECONDS_MAX, alone_seconds
from broker_actors.core.verdict import CRASHES_MAX
from broker_actors.ports.store import CHARGES_MAX, Store
from broker_actors.runtime.solitude import Solitude

#: Marks the count of crashes alone; no identity of an envelope ends like this.
_ALONE: Final = "\0alone"


class Charges:
    """The counts of one suspect, and its place beside others or alone."""

    def __init__(self, store: Store, address: Address, identity: str, solitude: Solitude) -> None:
        self._store = store
        self._address = address
        self._shared = identity
        self._solo = identity + _ALONE
        self._solitude = solitude
        #: Which count is raised now, and what it was before; empty for none.
        self._raised = ""
        self._before = 0
        self._beside = False
        self._alone = False
        #: How long it may be alone; 0 while it runs beside others.
        self.alone_seconds = 0.0

    async def begin(self) -> int:
        """Begin, or go on, beside others or alone; return how many crashes are its own by now.

        It must not run when that is `CRASHES_MAX`.

        Raises:
            PlatformError: the store did not answer.

        """
        await self._enter()
        begun = await self._raise(self._shared, BESIDE_OTHERS_MAX)
        if begun <= BESIDE_OTHERS_MAX:
            return begun - 1
        # Counted when it is its turn, and not while it waits for that.
        self.leave()
        seconds = alone_seconds(begun - 1)
        if not await self._solitude.alone(min(seconds, PATIENCE_SECONDS_MAX)):
            await self._enter()
            await self._raise(self._shared, CHARGES_MAX)
            return BESIDE_OTHERS_MAX
        self._alone = True
        self.alone_seconds = seconds
        alone = await self._raise(self._solo, ALONE_MAX)
        return min(CRASHES_MAX, BESIDE_OTHERS_MAX + alone - 1)

    async def join_others(self) -> None:
        """Let others run beside it: it has been alone for long enough.

        Raises:
            PlatformError: the store did not answer; its count may stay, although others run.

        """
        if not self._alone:
            return
        before = self._before
        try:
            await self._raise(self._shared, CHARGES_MAX)
            await self._store.discharge(self._address, self._solo, keep=before)
        finally:
            self.leave()
            # At once: the door was opened just now.
            await self._enter()

    async def pause(self) -> None:
        """Take back what is counted for now, for it waits for somebody else, and let others run.

        Raises:
            PlatformError: the store did not answer; it is still counted.

        """
        raised, self._raised = self._raised, ""
        try:
            if raised:
                await self._store.discharge(self._address, raised, keep=self._before)
        finally:
            self.leave()

    def leave(self) -> None:
        """Let others run; what is counted stays. Idempotent."""
        self.alone_seconds = 0.0
        if self._beside:
            self._beside = False
            self._solitude.leave()
        if self._alone:
            self._alone = False
            self._solitude.part()

    async def forget(self) -> None:
        """Forget everything that was counted: the envelope has come to its end.

        Raises:
            PlatformError: the store did not answer.

        """
        await self._store.discharge(self._address, self._shared)
        await self._store.discharge(self._address, self._solo)

    async def _enter(self) -> None:
        await self._solitude.enter()
        self._beside = True

    async def _raise(self, count: str, at_most: int) -> int:
        begun = await self._store.charge(self._address, count, at_most=at_most)
        self._raised, self._before = count, begun - 1
        return begun
