"""A reply channel is lost while asks are under way: each still ends as it would have, and runs once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import redis

from broker_actors import ActorSystem, MailboxFullError, Settings
from broker_actors.adapters.redis.keys import Keys
from broker_actors.bootstrap.backend import Embedded
from tests.acceptance.bounds import bounded_deployment, filled
from tests.acceptance.conftest import Deployment
from tests.acceptance.pressed import Scroll, ScrollRef
from tests.acceptance.test_backpressure import HANG_SECONDS, noted


class Bounded(Deployment):
    """A deployment whose mailboxes hold little, and whose reply channels can be lost."""

    def __init__(self, settings: Settings, embedded: Embedded | None, stack: AsyncExitStack) -> None:
        super().__init__(settings, embedded, stack)
        self._remove: Callable[[str], None] = embedded.channels.remove if embedded else self._remove_stream

    async def lose_channel(self, system: ActorSystem) -> None:
        """Return when *system* has noticed that its channel was gone."""
        noticed = asyncio.Event()
        await system.client.inbox.listen("lost", lambda _: noticed.set())
        await asyncio.to_thread(self._remove, system.client.reply_channel)
        async with asyncio.timeout(HANG_SECONDS):
            await noticed.wait()

    def _remove_stream(self, channel: str) -> None:
        with redis.Redis.from_url(self.settings.redis_url) as operator:
            operator.delete(Keys("ba").reply(channel))
            # Whoever reads it looks anew, as after a restart of the store.
            operator.client_kill_filter(_type="normal", skipme=True)


@pytest.fixture(params=["embedded", "real"])
async def bounded(request: pytest.FixtureRequest) -> AsyncIterator[Bounded]:
    async with bounded_deployment(request, Bounded) as deployment:
        yield deployment


async def test_an_ask_that_waits_for_room_waits_on(bounded: Bounded) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
    await system.client.inbox.open()
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(patient.note(last + 1))
        await asyncio.sleep(0)
        # The ask was refused before this one is, and now stands in line.
        with pytest.raises(MailboxFullError):
            await scroll.note.tell(0)
        await bounded.lose_channel(system)
        # Whatever was sent again because of that has been refused before this one is.
        with pytest.raises(MailboxFullError):
            await scroll.note.tell(0)
        assert not asked.done()
        async with bounded.worker(Scroll):
            assert await asked == last + 1
            assert await patient.read() == list(range(1, last + 2))


async def test_an_ask_that_waited_for_room_in_vain_has_not_been_sent(bounded: Bounded) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a")
    last = await filled(scroll)
    await system.client.inbox.open()
    hasty = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=1)
    asked = asyncio.create_task(hasty.note(0))
    await asyncio.sleep(0)
    await bounded.lose_channel(system)
    with pytest.raises(MailboxFullError, match=r"full for 0\.9 s"):
        await asked
    async with bounded.worker(Scroll):
        patient = scroll.with_options(wait_if_full=HANG_SECONDS, timeout=2 * HANG_SECONDS)
        assert await patient.read() == list(range(1, last + 1))


async def test_an_ask_that_was_sent_does_not_fail_because_its_mailbox_is_full_since(bounded: Bounded) -> None:
    system = await bounded.system()
    scroll = system.ref(ScrollRef, "a").with_options(timeout=2 * HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), asyncio.TaskGroup() as tasks:
        await system.client.inbox.open()
        asked = tasks.create_task(scroll.note(0))
        await asyncio.sleep(0)
        last = await filled(scroll)
        await bounded.lose_channel(system)
        with pytest.raises(MailboxFullError):
            await scroll.note.tell(0)
        assert not asked.done()
        async with bounded.worker(Scroll):
            assert await asked == 1
            await noted(bounded, last + 1)
            assert await scroll.read() == list(range(last + 1))
