"""Every acceptance test runs on the embedded adapters and on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import pytest

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.bootstrap.backend import Backend, Embedded, open_backend
from tests.acceptance import cruncher
from tests.acceptance.watching import Watcher


class Deployment:
    """A broker and a store, embedded or real, on which a test opens systems and workers."""

    def __init__(self, settings: Settings, embedded: Embedded | None, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.watcher = Watcher()
        self._embedded = embedded
        self._stack = stack

    @property
    def is_real(self) -> bool:
        """Whether real servers are behind it."""
        return self._embedded is None

    async def backend(self) -> Backend:
        """Open ports of their own, closed at the end of the test."""
        if self._embedded is not None:
            return self._embedded.backend(self.watcher)
        backend = await open_backend(self.settings, self.watcher)
        self._stack.push_async_callback(backend.close)
        return backend

    async def system(self, **changes: object) -> ActorSystem:
        """Open a system with a connection of its own, closed at the end of the test."""
        settings = self.settings.model_copy(update=changes)
        system = ActorSystem(settings, observer=self.watcher, backend=await self.backend())
        return await self._stack.enter_async_context(system)

    @asynccontextmanager
    async def worker(self, *actors: type, **changes: object) -> AsyncIterator[Worker]:
        """Run *actors* in a worker with a connection of its own."""
        settings = self.settings.model_copy(update=changes)
        system = ActorSystem(settings, observer=self.watcher, backend=await self.backend())
        async with system, Worker(system, *actors) as worker:
            yield worker


Make: TypeAlias = Callable[[], Awaitable[Deployment]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what is marked `embedded_first` to `make verify` where it takes real servers."""
    for item in items:
        chosen = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        if chosen.get("deployment") == "real" and item.get_closest_marker("embedded_first"):
            item.add_marker(pytest.mark.verify)


@pytest.fixture
def threads_end() -> Iterator[None]:
    """Threads that block go on after the test at the latest."""
    cruncher.OPEN.clear()
    cruncher.BLOCKED.clear()
    yield
    cruncher.OPEN.set()


@pytest.fixture
async def real(amqp_url: str, redis_url: str) -> AsyncIterator[Deployment]:
    """A deployment on real servers only, for what is about processes or the servers themselves."""
    async with AsyncExitStack() as stack:
        yield Deployment(Settings(url=amqp_url, redis_url=redis_url), None, stack)


@pytest.fixture(params=["embedded", "real"])
async def deployment(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    """A fresh broker and store."""
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            yield Deployment(Settings(), Embedded(), stack)
        else:
            urls = {
                "url": request.getfixturevalue("amqp_url"),
                "redis_url": request.getfixturevalue("redis_url"),
            }
            yield Deployment(Settings(**urls), None, stack)
