"""A retry that arrives again after it was settled does not run again, whatever came of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors import Retry, actor, method
from broker_actors.core.address import Address
from broker_actors.core.body import encode
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.events import TurnEnded
from broker_actors.core.topology import Layout, dead_queue
from tests.acceptance.conftest import Deployment

pytestmark = pytest.mark.embedded_first

ROUTES = Layout("Flaky", partitions=1)
#: So late that no jitter brings it under the second below which it would be waited for in place.
LATER = Retry(attempts=3, min_backoff=86_400, max_backoff=86_400)
FIRST = Envelope(Address("Flaky", "f1"), "note", encode([1], {}), sender="web", seq=1)


def flaky() -> type:
    """Return an actor that fails once: if it ran again, it would succeed."""
    failed: list[int] = []

    @actor(partitions=1, retry=LATER)
    class Flaky:
        """Fails the first time."""

        seen: tuple[int, ...] = ()

        @method
        def note(self, number: int) -> None:
            self.seen = (*self.seen, number)
            if not failed:
                failed.append(number)
                raise OSError(number)

        @method
        def read(self) -> list[int]:
            return list(self.seen)

    return Flaky


async def arrives_twice(deployment: Deployment, envelope: Envelope) -> list[str]:
    """Deliver *envelope* twice, as after a crash before its acknowledgement; return what came of it."""
    system = await deployment.system()
    async with deployment.worker(flaky()):
        for _ in range(2):
            await system.backend.transport.publish(ROUTES.route_to(envelope.address), to_wire(envelope))
        ended = await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "note", 2)
        assert await system.ref("Flaky", "f1").read() == []
    return [one.outcome for one in ended]


@pytest.mark.parametrize("key", ["", "order-42"])
async def test_a_last_attempt_that_was_buried_is_not_run_again(deployment: Deployment, key: str) -> None:
    keyed = Envelope(FIRST.address, "note", FIRST.body, key=key) if key else FIRST
    assert await arrives_twice(deployment, keyed.again(2, "").again(3, "")) == ["dead_lettered", "duplicate"]
    transport = (await deployment.backend()).transport
    assert (await transport.depth(dead_queue("Flaky"))).ready == 1


@pytest.mark.parametrize("key", ["", "order-42"])
async def test_an_attempt_that_is_tried_again_is_not_run_beside_the_next(
    deployment: Deployment, key: str
) -> None:
    keyed = Envelope(FIRST.address, "note", FIRST.body, key=key) if key else FIRST
    assert await arrives_twice(deployment, keyed.again(2, "")) == ["retried", "duplicate"]


async def test_the_next_attempt_runs_although_the_one_before_was_settled(deployment: Deployment) -> None:
    system = await deployment.system()
    second = FIRST.again(2, "")
    async with deployment.worker(flaky()):
        for envelope in (second, second.again(3, ""), second):
            await system.backend.transport.publish(ROUTES.route_to(envelope.address), to_wire(envelope))
        ended = await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "note", 3)
        assert await system.ref("Flaky", "f1").read() == [1]
    assert [one.outcome for one in ended] == ["retried", "ok", "duplicate"]


@pytest.mark.parametrize("is_ask", [False, True])
async def test_a_retry_is_not_taken_for_that_of_another_call_with_the_same_key(
    deployment: Deployment, *, is_ask: bool
) -> None:
    """A call ends for good, its deadline being over, say; one that was told must still have its attempts."""
    system = await deployment.system()
    tell = replace(FIRST, key="order-42", seq=2)
    other = replace(FIRST, key="order-42")
    if is_ask:
        other = replace(other, reply_to="nobody", correlation_id="1")
    last = other.again(2, "").again(3, "")
    async with deployment.worker(flaky()):
        for envelope in (last, last, tell.again(2, "").again(3, "")):
            await system.backend.transport.publish(ROUTES.route_to(envelope.address), to_wire(envelope))
        ended = await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "note", 3)
        assert await system.ref("Flaky", "f1").read() == [1]
    assert [one.outcome for one in ended] == ["fault" if is_ask else "dead_lettered", "duplicate", "ok"]
