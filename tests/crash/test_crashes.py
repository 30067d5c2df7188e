"""Workers die by SIGKILL at every point of a turn and around it; what they did is there once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.actor.spec import spec_of
from broker_actors.core.address import Address
from broker_actors.core.sharing import rankings
from broker_actors.runtime.suspending import resume, suspend
from tests.crash.actors import Back, BlockingFront, Front
from tests.crash.conftest import Shelf
from tests.crash.points import POINTS, Form, Point, Scene
from tests.crash.story import ACTOR, Story
from tests.crash.worker import HANG_SECONDS, Doomed, Ward

MAILBOX = "actors.Front.g1.0"
FRONT = Address("Front", ACTOR)
#: The other may rank high: so many that one of them is above it.
NAMES_MAX = 20_000

CASES = [
    pytest.param(
        point, form, id=f"{point.name}-{form}", marks=[] if form is point.forms[0] else [pytest.mark.verify]
    )
    for point in POINTS
    for form in point.forms
]


@dataclass
class Case:
    """What one case has to itself.

    Attributes:
        caller: the system of whoever sends, who may go before everything is done.
        system: that of who looks at the outcome, and of the worker that lives.
        shelf: where its broker comes from.
        ward: where its workers come from that are to die.
        folder: where those leave their marks.

    """

    caller: ActorSystem
    system: ActorSystem
    shelf: Shelf
    ward: Ward
    folder: Path


@pytest.fixture
async def case(shelf: Shelf, ward: Ward, redis_url: str, tmp_path: Path) -> AsyncIterator[Case]:
    settings = Settings(url=shelf.take(), redis_url=redis_url)
    async with ActorSystem(settings) as caller, ActorSystem(settings) as system:
        for cls in (Front, Back):
            await caller.dispatch.layout(cls.__name__, spec_of(cls).layout)
        yield Case(caller, system, shelf, ward, tmp_path)


@pytest.mark.timeout(2 * HANG_SECONDS)
@pytest.mark.parametrize(("point", "form"), CASES)
async def test_a_worker_that_dies_costs_nothing(case: Case, point: Point, form: Form) -> None:
    caller, system, story = case.caller, case.system, Story(point, form)
    async with asyncio.timeout(HANG_SECONDS), AsyncExitStack() as stack:
        if point.scene is Scene.SUSPENDED:
            await suspend(system.backend.store, system.backend.clock, FRONT, "before anything comes")
        await story.send(caller, 1)
        if point.scene is not Scene.IDLE:
            await story.send(caller, 2)
        survivor = None
        for spot in point.spots:
            async with case.ward.doomed(system.settings, point.scene, spot, case.folder) as dying:
                survivor = await _provoke(point.scene, dying, system, stack)
                await dying.died()
            if spot is not point.spots[-1]:
                await _expire_leases(system)
            if point.scene is Scene.SUSPENDED:
                await resume(system.backend.store, system.backend.clock, FRONT)
        if point.scene is Scene.GIVEN_UP:
            await _give_up(story, caller)
        if point.scene is Scene.IDLE:
            await story.send(caller, 2)
        front = BlockingFront if point.scene is Scene.BLOCK else Front
        if survivor is None:
            survivor = await stack.enter_async_context(Worker(system, front, Back))
        await story.check(system)
        await survivor.stop()
        await _end(story, system, front)
    if story.leaves_nothing:
        case.shelf.give_back()


async def _end(story: Story, system: ActorSystem, front: type[Front]) -> None:
    """Have what the last worker held, which may be a double, its chance to do harm, too."""
    while not await story.is_over(system):
        async with Worker(system, front, Back):
            await story.check(system)
    await story.check_nothing_is_left(system)


async def _expire_leases(system: ActorSystem) -> None:
    """Have the dead forgotten at once: behind two of them a third worker would wait for a lease to end."""
    members = system.backend.members
    for member, _ in await members.everyone():
        await members.leave(member.name)


async def _provoke(scene: Scene, dying: Doomed, system: ActorSystem, stack: AsyncExitStack) -> Worker | None:
    """Make happen what the scene is about; return the worker that had to be there for it."""
    if scene is Scene.STOP:
        await dying.marked("lingering")
        dying.signal(signal.SIGTERM)
    if scene is not Scene.MOVE:
        return None
    await dying.marked("lingering")
    [(other, _)] = await system.backend.members.everyone()
    for _ in range(NAMES_MAX):
        survivor = Worker(system, Front, Back)
        if rankings([MAILBOX], [survivor.name, other.name])[MAILBOX][0] == survivor.name:
            return await stack.enter_async_context(survivor)
    raise AssertionError("no name wins the mailbox")


async def _give_up(story: Story, caller: ActorSystem) -> None:
    """End whoever asked."""
    for ask in story.asks.values():
        ask.cancel()
    await asyncio.gather(*story.asks.values(), return_exceptions=True)
    story.asks.clear()
    await caller.__aexit__(None, None, None)
