"""What an interleaved turn works on: the last commit, frozen.

Each interleaved turn has an instance of its own, with the durable attributes as last
committed and the underscore attributes of the live instance. Invariant: nothing an
interleaved turn does outside of a section reaches the live instance or the store.
"""

from __future__ import annotations

from broker_actors.actor import frozen
from broker_actors.actor.spec import ActorSpec
from broker_actors.core.address import Address
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.ledger import Ledger


class Snapshot:
    """An activation as one interleaved turn sees it. Implements `runtime.activation.Subject`."""

    __slots__ = ("_activation", "_as_read", "_instance", "address", "ledger", "spec")

    def __init__(self, activation: Activation) -> None:
        self.address: Address = activation.address
        self.spec: ActorSpec = activation.spec
        self.ledger: Ledger = activation.ledger
        self._activation = activation
        self._instance: object | None = None
        #: The state as it was when the instance was frozen.
        self._as_read = b""

    async def instance(self) -> object:
        """Return the frozen instance; raises what `Activation.instance` raises."""
        if self._instance is None:
            live = await self._activation.instance()
            instance = self.spec.cls()
            self.spec.state.load(instance, self._activation.state)
            frozen.share_transient(live, instance)
            self._freeze(instance)
            self._instance = instance
        return self._instance

    def dump(self) -> bytes | None:
        """Return None: an interleaved turn has no state to commit.

        Raises:
            OutOfTurnError: the run changed something in place, which no attribute could refuse.

        """
        if self._instance is not None and self.spec.state.dump(self._instance) != self._as_read:
            raise frozen.changed_in_place(self.spec.type)
        return None

    def committed(self, state: bytes | None) -> None:
        """Do nothing: what the turn's end commits has no state."""

    def roll_back(self) -> None:
        """Drop the instance: the next run sees what is committed then."""
        self._instance = None

    def _freeze(self, instance: object) -> None:
        self._as_read = self.spec.state.dump(instance)
        frozen.freeze(instance, self.spec.frozen)
