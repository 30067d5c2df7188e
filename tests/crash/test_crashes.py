"""Workers die by SIGKILL at every point of a turn and around it; what they did is there once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.actor.spec import spec_of
from broker_actors.core.sharing import ranking
from tests.crash.actors import Back, Front
from tests.crash.points import POINTS, Form, Point, Scene
from tests.crash.story import Story
from tests.crash.worker import HANG_SECONDS, Doomed, doomed

MAILBOX = "actors.Front.g1.0"
#: Chances are even each time.
NAMES_MAX = 64

CASES = [
    pytest.param(
        point, form, id=f"{point.name}-{form}", marks=[] if form is point.forms[0] else [pytest.mark.verify]
    )
    for point in POINTS
    for form in point.forms
]


@pytest.mark.timeout(2 * HANG_SECONDS)
@pytest.mark.parametrize(("point", "form"), CASES)
async def test_a_worker_that_dies_costs_nothing(
    amqp_url: str, redis_url: str, tmp_path: Path, point: Point, form: Form
) -> None:
    settings, story = Settings(url=amqp_url, redis_url=redis_url), Story(point, form)
    async with asyncio.timeout(HANG_SECONDS), AsyncExitStack() as stack:
        # Whoever asks goes after the death, if the scene wants it.
        caller = await stack.enter_async_context(ActorSystem(settings))
        system = await stack.enter_async_context(ActorSystem(settings))
        for cls in (Front, Back):
            await caller.dispatch.layout(cls.__name__, spec_of(cls).layout)
        await story.send(caller, 1)
        if point.scene is not Scene.IDLE:
            await story.send(caller, 2)
        for spot in point.spots:
            async with doomed(settings, point.scene, spot, tmp_path) as dying:
                survivor = await _provoke(point.scene, dying, system, stack)
                await dying.died()
        if point.scene is Scene.GIVEN_UP:
            await _give_up(story, caller)
        if point.scene is Scene.IDLE:
            await story.send(caller, 2)
        if survivor is None:
            survivor = await stack.enter_async_context(Worker(system, Front, Back))
        await story.check(system)
        await survivor.stop()
        await story.check_nothing_is_left(system)


async def _provoke(scene: Scene, dying: Doomed, system: ActorSystem, stack: AsyncExitStack) -> Worker | None:
    """Make happen what the scene is about; return the worker that had to be there for it."""
    if scene is Scene.STOP:
        await dying.marked("lingering")
        dying.stop()
    if scene is not Scene.MOVE:
        return None
    await dying.marked("lingering")
    [(other, _)] = await system.backend.members.everyone()
    for _ in range(NAMES_MAX):
        survivor = Worker(system, Front, Back)
        if ranking(MAILBOX, [survivor.name, other.name])[0] == survivor.name:
            return await stack.enter_async_context(survivor)
    raise AssertionError("no name wins the mailbox")


async def _give_up(story: Story, caller: ActorSystem) -> None:
    """End whoever asked."""
    for ask in story.asks.values():
        ask.cancel()
    await asyncio.gather(*story.asks.values(), return_exceptions=True)
    story.asks.clear()
    await caller.__aexit__(None, None, None)
