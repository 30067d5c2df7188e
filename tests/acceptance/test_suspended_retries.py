"""A retry that finds its actor suspended has not run: it runs once the actor may."""

from __future__ import annotations

import pytest

from broker_actors import actor, method
from broker_actors.core.address import Address
from broker_actors.core.body import encode
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.events import ActorSuspended, TurnEnded
from broker_actors.core.parking import wake_of
from broker_actors.core.suspension import Cause
from broker_actors.core.topology import Layout
from broker_actors.runtime.suspending import resume, suspend
from tests.acceptance.conftest import Deployment

pytestmark = pytest.mark.embedded_first

ADDRESS = Address("Till", "t1")
ROUTES = Layout("Till", partitions=1)


@actor(partitions=1)
class Till:
    """Keeps what it was told."""

    seen: tuple[int, ...] = ()

    @method
    def note(self, number: int) -> None:
        self.seen = (*self.seen, number)

    @method.options(interleave=True)
    async def look(self) -> int:
        return len(self.seen)

    @method
    def read(self) -> list[int]:
        return list(self.seen)


@actor(name="Till", partitions=1)
class Retyped:
    """The same, with a state of another type."""

    seen: int = 0

    @method
    def note(self, number: int) -> None:
        self.seen = number


def retry(method_name: str, key: str, *args: int) -> Envelope:
    """Return the second attempt of a tell."""
    first = Envelope(ADDRESS, method_name, encode(args, {}), sender="web", seq=1)
    return (Envelope(ADDRESS, method_name, first.body, key=key) if key else first).again(2, "")


@pytest.mark.parametrize("key", ["", "order-42"])
async def test_a_retry_that_finds_a_state_nobody_can_read_runs_when_somebody_can(
    deployment: Deployment, key: str
) -> None:
    system = await deployment.system()
    async with deployment.worker(Till):
        await system.ref("Till", "t1").call("note", 1)
    async with deployment.worker(Retyped):
        await system.backend.transport.publish(ROUTES.route_to(ADDRESS), to_wire(retry("note", key, 2)))
        await deployment.watcher.wait_for(ActorSuspended, lambda one: one.cause == Cause.STATE_UNDECODABLE)
    async with deployment.worker(Till):
        await system.dispatch.send(wake_of(ADDRESS, system.backend.clock.now_ms()))
        turns = await deployment.watcher.wait_for(TurnEnded, lambda one: one.method == "note", 3)
        assert [one.outcome for one in turns] == ["ok", "suspended", "ok"]
        assert await system.ref("Till", "t1").call("read") == [1, 2]


@pytest.mark.parametrize("key", ["", "order-42"])
async def test_a_retry_beside_the_lane_of_a_suspended_actor_runs_when_it_comes_back(
    deployment: Deployment, key: str
) -> None:
    system, sent = await deployment.system(), to_wire(retry("look", key))
    backend, route = system.backend, ROUTES.route_to(ADDRESS)
    async with deployment.worker(Till):
        await suspend(backend.store, backend.clock, ADDRESS, "for a test")
        await backend.transport.publish(route, sent)
        await deployment.watcher.wait_for(TurnEnded, lambda one: one.outcome == "suspended")
        await resume(backend.store, backend.clock, ADDRESS)
        # It comes back as it was, only later.
        await backend.transport.publish(route, sent)
        turns = await deployment.watcher.wait_for(TurnEnded, lambda one: one.method == "look", 2)
    assert [one.outcome for one in turns] == ["suspended", "ok"]
