"""Who asks one server waits no longer than its time, also while the connection to it is closed."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.adapters.redis import node
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.observability.logs import LoggingObserver

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30.0


class Stuck:
    """A connection that neither opens nor lets itself be cancelled before it may."""

    server = "a server"

    def __init__(self) -> None:
        self.opening = asyncio.Event()
        self.closing = asyncio.Event()
        self.may_end = asyncio.Event()

    async def open(self) -> bool:
        self.opening.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closing.set()
            await self.may_end.wait()
        return True

    async def close(self) -> None:
        """Do nothing: there is no connection."""


async def test_a_caller_waits_no_longer_than_its_time_for_a_connection_that_is_being_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = Stuck()

    def linked(*_: object) -> Stuck:
        return link

    monkeypatch.setattr(node, "Link", linked)
    asked = node.Node(RedisSettings(deadline_seconds=0.1), LoggingObserver(), "test")
    asking = asked.ask_one(b"", None)
    assert asking is not None
    async with asyncio.timeout(HANG_SECONDS):
        await link.opening.wait()
        closing = asyncio.create_task(asked.close())
        await link.closing.wait()
        with pytest.raises(TimeoutError):
            await asking
        assert not closing.done()
        link.may_end.set()
        await closing
