"""When the hooks of an actor are called."""

from __future__ import annotations

from typing import ClassVar, cast

from broker_actors import actor, method
from broker_actors.actor.spec import spec_of
from broker_actors.core.address import Address
from broker_actors.dispatch import Dispatch
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.no_ledger import NoLedger


@actor(delivery="at_least_once")
class Hooked:
    """Notes when its hooks are called."""

    log: ClassVar[list[str]]

    def activate(self) -> None:
        self.log.append("activate")

    def deactivate(self) -> None:
        self.log.append("deactivate")

    @method
    def run(self) -> None: ...


def live() -> Activation:
    Hooked.log = []
    ledger = NoLedger(cast("Dispatch", None))
    return Activation(Address("Hooked", "h1"), spec_of(Hooked), ledger, None, "actors.Hooked.g1.0")


async def test_what_leaves_memory_is_deactivated() -> None:
    activation = live()
    assert await activation.instance() is await activation.instance()
    await activation.deactivate()
    assert Hooked.log == ["activate", "deactivate"]


async def test_what_failed_is_dropped_without_its_hook_and_the_next_turn_builds_another() -> None:
    activation = live()
    failed = await activation.instance()
    activation.roll_back()
    assert Hooked.log == ["activate"]
    assert await activation.instance() is not failed
    assert Hooked.log == ["activate", "activate"]
    activation.roll_back()
    await activation.deactivate()
    assert Hooked.log == ["activate", "activate"], "there is nothing left to deactivate"
