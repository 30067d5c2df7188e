"""Mixed delays arrive in order of their time, whatever was away meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack

import pytest

from broker_actors import Settings
from broker_actors.core.events import TurnEnded
from tests.acceptance.conftest import Deployment
from tests.acceptance.diary import Diary, DiaryRef
from tests.servers import RabbitServer

DIARIES = 100
HANG_SECONDS = 150.0
#: How much later something may be due that runs first: what the broker and busy mailboxes take on their ways.
ON_THE_WAY_SECONDS = 1.0
#: After its start the broker may keep back a level: see infra/rabbitmq/advanced.config.
KEPT_BACK_SECONDS = 5.0
#: Of the queues of a broker that is back, of the connections to it, and of the levels: each passes on what
#: has expired meanwhile, 32 at a time.
RECOVERY_SECONDS = 10.0
#: Half a millisecond of the clock's, and of the arithmetic of floats.
ROUNDED_SECONDS = 0.002

#: What has run: when, and its number.
Ran = list[tuple[float, int]]


async def tell(deployment: Deployment, count: int, seconds: float) -> dict[int, float]:
    """Tell *count* numbers with mixed delays of 1 to *seconds*; return when they are due."""
    system = await deployment.system()
    dice, due = random.Random(7), dict[int, float]()  # noqa: S311 - not for secrets
    slots = asyncio.Semaphore(200)

    async def one(number: int) -> None:
        async with slots:
            ref = system.ref(DiaryRef, f"d{number % DIARIES}")
            handle = await ref.note.tell_after(dice.uniform(1, seconds), number)
            assert handle.due is not None
            due[number] = handle.due.timestamp()

    await asyncio.gather(*(one(number) for number in range(count)))
    return due


async def read(deployment: Deployment, count: int) -> list[Ran]:
    """Return what each diary has once *count* have run; the caller sets the deadline."""
    system, watcher = await deployment.system(), deployment.watcher
    while sum(event.method == "note" for event in watcher.of(TurnEnded)) < count:  # noqa: ASYNC110 - ten thousand wakers would be heavy
        await asyncio.sleep(0.2)
    refs = [system.ref(DiaryRef, f"d{n}").with_options(timeout=HANG_SECONDS) for n in range(DIARIES)]
    while sum(await asyncio.gather(*(ref.count() for ref in refs))) < count:  # noqa: ASYNC110 - duplicates are turns too: only the state says what ran
        await asyncio.sleep(0.5)
    return [[(at, number) for number, at in await ref.read()] for ref in refs]


def displaced_seconds(ran: Iterable[tuple[float, int]], due: dict[int, float]) -> float:
    """Return how much later something was due that ran before something else, at the most."""
    displaced, latest = 0.0, 0.0
    for _, number in ran:
        displaced = max(displaced, latest - due[number])
        latest = max(latest, due[number])
    return displaced


def together(diaries: list[Ran]) -> Ran:
    """Return what all of them have, in the order in which it ran."""
    return sorted(one for ran in diaries for one in ran)


def check(diaries: list[Ran], due: dict[int, float], displaced_seconds_max: float) -> None:
    """Fail unless each ran once, none early, and none after what was due so much later."""
    ran_at_all = together(diaries)
    assert sorted(number for _, number in ran_at_all) == sorted(due)
    assert min(at - due[number] for at, number in ran_at_all) >= -ROUNDED_SECONDS
    for ran in (*diaries, ran_at_all):
        assert displaced_seconds(ran, due) < displaced_seconds_max


async def test_mixed_delays_arrive_in_order_of_their_time(deployment: Deployment) -> None:
    async with asyncio.timeout(HANG_SECONDS), deployment.worker(Diary):
        due = await tell(deployment, 300, 3)
        check(await read(deployment, len(due)), due, ON_THE_WAY_SECONDS)


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_ten_thousand_mixed_delays_survive_a_killed_broker(
    rabbit_server: RabbitServer, redis_url: str
) -> None:
    settings = Settings(
        url=await asyncio.to_thread(rabbit_server.vhosts.create),
        redis_url=redis_url,
        publish_timeout_seconds=HANG_SECONDS,
        store_timeout_seconds=HANG_SECONDS,
    )

    def break_it() -> None:
        rabbit_server.kill()
        rabbit_server.restart()

    async with AsyncExitStack() as stack, asyncio.timeout(2 * HANG_SECONDS):
        fragile = Deployment(settings, None, stack)
        await stack.enter_async_context(fragile.worker(Diary))
        due = await tell(fragile, 10_000, 60)
        gone_seconds = time.time()
        await asyncio.to_thread(break_it)
        outage_seconds = time.time() - gone_seconds
        diaries = await read(fragile, len(due))
        # Nothing runs early, so what ran before another one was due later by no more than that one was late.
        # What a relay has at hand it puts in order: what counts is how late something came into `actors.due`.
        check(diaries, due, outage_seconds + KEPT_BACK_SECONDS + RECOVERY_SECONDS)
