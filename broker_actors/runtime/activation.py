"""One live actor: its instance, its last committed state, its ledger.

Invariant: the instance is either None or equal to the last committed state between
turns; after a failed run it is dropped and rebuilt from those bytes, never patched.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Final, Protocol

from broker_actors.actor.frozen import move_durable, share_transient
from broker_actors.actor.spec import ActorSpec
from broker_actors.core.address import Address
from broker_actors.core.errors import NewerStateError, StateUndecodableError
from broker_actors.core.suspension import Suspension
from broker_actors.runtime.ledger import Ledger
from broker_actors.runtime.parking import Parking

#: How long `activate` and `deactivate` may take each; the lane, or the end of the worker, waits for them.
HOOK_SECONDS_MAX: Final = 30.0


class Subject(Protocol):
    """What a turn works on: the actor itself, or a snapshot of it."""

    @property
    def address(self) -> Address:
        """Which actor."""
        ...

    @property
    def spec(self) -> ActorSpec:
        """What is known of its class."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Where the turn becomes durable."""
        ...

    @property
    def state(self) -> bytes | None:
        """The last committed state; None if it never had one."""
        ...

    @property
    def parking(self) -> Parking | None:
        """Where the turn's envelope may be parked; None if that is not possible."""
        ...

    @property
    def suspension(self) -> Suspension | None:
        """Why the actor must not run; None if it may."""
        ...

    @property
    def faults_ms(self) -> tuple[int, ...]:
        """When it failed, as far as that counts."""
        ...

    @property
    def built(self) -> object | None:
        """The instance the method runs on; None if it is still to be built."""
        ...

    async def instance(self) -> object:
        """Return the instance the method runs on; raises what the user's class and hooks raise."""
        ...

    def dump(self) -> bytes | None:
        """Return the state to commit, None for none; raises for a state that must not be committed."""
        ...

    def committed(self, state: bytes | None) -> None:
        """Take note that *state*, if not None, is now the last committed one."""
        ...

    def roll_back(self) -> None:
        """Drop what a failed run may have changed."""
        ...


class Activation:
    """A live actor in this worker. Implements `Subject`."""

    __slots__ = (
        "_building",
        "_committed",
        "_has_left",
        "_instance",
        "_turns",
        "address",
        "faults_ms",
        "last_used_seconds",
        "ledger",
        "mailbox",
        "parking",
        "spec",
    )

    def __init__(
        self, address: Address, spec: ActorSpec, ledger: Ledger, state: bytes | None, mailbox: str
    ) -> None:
        self.address = address
        self.spec = spec
        self.ledger = ledger
        #: What the actor has parked; None for one without a store.
        self.parking: Parking | None = ledger.parking
        #: The mailbox it serves: whoever loses that mailbox loses the actor.
        self.mailbox = mailbox
        #: Monotonic seconds of its last turn.
        self.last_used_seconds = 0.0
        #: When it failed, as far as that counts, in Unix milliseconds.
        self.faults_ms: tuple[int, ...] = ()
        self._committed = state
        self._instance: object | None = None
        #: Set when the instance that is being built is done; None while none is. Turns that overlap wait.
        self._building: asyncio.Event | None = None
        self._turns = 0
        self._has_left = False

    @property
    def suspension(self) -> Suspension | None:
        """Why the actor must not run; None if it may."""
        return None if self.parking is None else self.parking.suspension

    @property
    def state(self) -> bytes | None:
        """The last committed state; None if it never had one."""
        return self._committed

    @property
    def is_in_use(self) -> bool:
        """Whether turns of it run."""
        return self._turns > 0

    def begin(self) -> None:
        """Take note that a turn of it runs."""
        self._turns += 1

    def end(self) -> bool:
        """Take note that a turn of it ended; return whether it was the last of those it left behind."""
        self._turns -= 1
        return self._has_left and not self._turns

    @property
    def has_parked(self) -> bool:
        """Whether something of it is parked."""
        return self.parking is not None and self.parking.entries > 0

    @property
    def built(self) -> object | None:
        """The instance, if there is one."""
        return self._instance

    async def instance(self) -> object:
        """Return the instance, built from the last committed state if there is none.

        Raises:
            StateUndecodableError: the state does not fit the class.
            NewerStateError: a newer release wrote it.
            Exception: what the user's `activate` raises.

        """
        while self._instance is None:
            if self._building is not None:
                # Whoever waits builds it if the other one could not.
                await self._building.wait()
                continue
            building = self._building = asyncio.Event()
            try:
                self._instance = await self._built()
            finally:
                self._building = None
                building.set()
        return self._instance

    def read(self, instance: object) -> None:
        """Set the durable attributes of the new *instance* to the last committed ones.

        Raises:
            StateUndecodableError: the state does not fit the class.
            NewerStateError: a newer release wrote it.

        """
        try:
            self.spec.state.load(instance, self._committed)
        except StateUndecodableError as error:
            raise StateUndecodableError(f"{self.address}: {error}") from error
        except NewerStateError as error:
            raise NewerStateError(f"{self.address}: {error}") from error

    def dump(self) -> bytes | None:
        """Return the state to commit; None if the last run left it as it was.

        Raises:
            UndeclaredStateError: the run left an attribute no annotation declares.
            ConfigurationError: an attribute is not what its annotation says, or shared with another.
            PayloadTooLargeError: it is over its limit.

        """
        if self._instance is None or not self.spec.durable:
            return None
        return self.spec.state.changed(self._instance, self._committed)

    def committed(self, state: bytes | None) -> None:
        """Take note that *state*, if not None, is now the last committed one."""
        if state is not None:
            self._committed = state

    def roll_back(self) -> None:
        """Drop what a failed run may have changed."""
        self._instance = None

    async def deactivate(self) -> None:
        """Run the user's `deactivate` hook, if there is a live instance, once no turn needs it any more.

        Raises:
            Exception: what the hook raises.

        """
        self._has_left = True
        if self._turns:
            return
        instance, self._instance = self._instance, None
        if instance is not None:
            await _hook(instance, "deactivate")

    def load(self, instance: object) -> None:
        """Set the durable attributes of *instance*, which was in use, to the last committed ones."""
        fresh = self.spec.cls()
        self.read(fresh)
        move_durable(self.spec.state.names, fresh, instance)

    def replaced(self, state: bytes | None, by: object) -> None:
        """Take note that a section committed *state*, if not None; the rest is as *by* has it."""
        self.committed(state)
        if (instance := self._instance) is not None:
            share_transient(self.spec.state.names, by, instance)
            if state is not None:
                self.load(instance)

    async def _built(self) -> object:
        instance = self.spec.cls()
        self.read(instance)
        loaded = self._committed
        await _hook(instance, "activate")
        if loaded is not self._committed:
            # A section was committed while the hook ran.
            self.load(instance)
        return instance


async def _hook(instance: object, name: str) -> None:
    hook = getattr(instance, name, None)
    if hook is not None:
        result = hook()
        if inspect.isawaitable(result):
            async with asyncio.timeout(HOOK_SECONDS_MAX):
                await result
