"""What a turn works on that interleaves, or runs off the loop: the last commit, frozen.

Each such turn has an instance of its own, with the durable attributes as last
committed and the other attributes of the live instance. Invariant: nothing the turn does
to its instance outside of a section reaches the live one or the store. Inside of one the
instance is thawed; nothing else writes the actor meanwhile.
"""

from __future__ import annotations

from broker_actors.actor import frozen
from broker_actors.actor.spec import ActorSpec
from broker_actors.core.address import Address
from broker_actors.core.suspension import Suspension
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.ledger import Ledger
from broker_actors.runtime.parking import Parking


class Snapshot:
    """An activation as one such turn sees it. Implements `runtime.activation.Subject`."""

    __slots__ = ("_activation", "_as_read", "_instance", "address", "ledger", "parking", "spec")

    def __init__(self, activation: Activation, *, is_beside: bool = True) -> None:
        self.address: Address = activation.address
        self.spec: ActorSpec = activation.spec
        self.ledger: Ledger = activation.ledger
        #: What runs beside a lane is never parked.
        self.parking: Parking | None = None if is_beside else activation.parking
        self._activation = activation
        self._instance: object | None = None
        #: The state as it was when the instance was frozen.
        self._as_read = b""

    @property
    def state(self) -> bytes | None:
        """The last committed state."""
        return self._activation.state

    @property
    def suspension(self) -> Suspension | None:
        """Why the actor must not run; None if it may."""
        return self._activation.suspension

    @property
    def faults_ms(self) -> tuple[int, ...]:
        """When it failed, as far as that counts."""
        return self._activation.faults_ms

    @property
    def built(self) -> object | None:
        """The frozen instance, if there is one."""
        return self._instance

    async def instance(self) -> object:
        """Return the frozen instance; raises what `Activation.instance` raises."""
        if self._instance is None:
            live = await self._activation.instance()
            instance = self.spec.cls()
            self._activation.read(instance)
            frozen.share_transient(self.spec.state.names, live, instance)
            self._instance = instance
            self._freeze(instance)
        return self._instance

    def dump(self) -> bytes | None:
        """Return None: an interleaved turn has no state to commit.

        Raises:
            OutOfTurnError: the run changed something in place, which no attribute could refuse.

        """
        self._check_unchanged()
        return None

    def committed(self, state: bytes | None) -> None:
        """Do nothing: what the turn's end commits has no state."""

    def roll_back(self) -> None:
        """Drop the instance: the next run sees what is committed then."""
        self._instance = None

    async def open(self) -> None:
        """Let the instance be written, starting from the newest commit.

        Raises:
            OutOfTurnError: something was changed in place before.
            Exception: what the user's `activate` raises.

        """
        self._check_unchanged()
        live = await self._activation.instance()
        if (instance := self._instance) is not None:
            frozen.thaw(instance, self.spec.cls)
            self._activation.load(instance)
            frozen.share_transient(self.spec.state.names, live, instance)

    def changed(self) -> bytes | None:
        """Return the state to commit, None if the section left it as it was.

        Raises:
            UndeclaredStateError: it left an attribute no annotation declares.
            ConfigurationError: an attribute is not what its annotation says, or shared with another.
            PayloadTooLargeError: the state is over its limit.

        """
        return self.spec.state.changed(self._instance, self._activation.state)

    def publish(self, state: bytes | None) -> None:
        """Take note that the section is committed: the live instance becomes what it left."""
        self._activation.replaced(state, self._instance)

    def close(self) -> None:
        """Freeze the instance again, as last committed."""
        if (instance := self._instance) is not None:
            frozen.thaw(instance, self.spec.cls)
            self._activation.load(instance)
            self._freeze(instance)

    def _check_unchanged(self) -> None:
        if self._instance is not None and self._dumped(self._instance) != self._as_read:
            raise frozen.changed_in_place(self.spec.type)

    def _freeze(self, instance: object) -> None:
        self._as_read = self._dumped(instance)
        frozen.freeze(instance, self.spec.frozen)

    def _dumped(self, instance: object) -> bytes:
        return self.spec.state.dump(instance) if self.spec.durable else b""
