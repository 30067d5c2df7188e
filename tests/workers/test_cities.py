"""Rounds beside each other on real servers: workers die all the time, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.actor.spec import spec_of
from broker_actors.flow import Status
from tests.crash.points import Scene
from tests.crash.worker import HANG_SECONDS, LOOK_SECONDS, Ward
from tests.workers.cities import CITIES, ROOMS, Journey, JourneyRef, Ledger, LedgerRef

#: In an order the flow comes by: how far others are does not matter.
SPOTS = [
    "Tour.prep | after | 1",
    "Arrive.prep | after | 2",
    "Arrive.exec | after | 1",
    "Rooms.exec | after | 2",
    "Arrive.post | after | 1",
    "Rooms.post | after | 1",
    "Tour.post | after | 1",
]


@pytest.fixture
def ward() -> Iterator[Ward]:
    ward = Ward("tests.workers.doomed_cities")
    yield ward
    ward.close()


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_workers_that_die_in_rounds_and_items_lose_and_double_nothing(
    ward: Ward, amqp_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(url=amqp_url, redis_url=redis_url)
    async with asyncio.timeout(HANG_SECONDS), ActorSystem(settings) as system:
        for kind in (Journey, Ledger):
            await system.dispatch.layout(kind.__name__, spec_of(kind).layout)
        journey = system.ref(JourneyRef, "j1")
        await journey.start.tell({})
        for spot in SPOTS:
            async with ward.doomed(settings, Scene.TURN, spot, tmp_path) as dying:
                await dying.died()
            # Have it forgotten at once: a successor of several dead would wait for a lease to end.
            for member, _ in await system.backend.members.everyone():
                await system.backend.members.leave(member.name)
        async with Worker(system, Journey, Ledger):
            while not (standing := await journey.status()).status.has_ended:
                assert standing.status is Status.RUNNING, standing
                await asyncio.sleep(LOOK_SECONDS)
            shared = await journey.result()
            entries: dict[str, int] = {}
            while len(entries) < len(CITIES) * (len(ROOMS) + 2) + 1:
                entries = await system.ref(LedgerRef, "l").all()
                await asyncio.sleep(LOOK_SECONDS)
    assert standing.status is Status.DONE
    assert shared == {
        "arrived": len(CITIES),
        "rooms": {city: [f"{city}{room}" for room in ROOMS] for city in CITIES},
    }
    assert set(entries.values()) == {1}, "each effect was committed once"
