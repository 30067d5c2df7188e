"""Where the story plays: a system, a worker, and names no other run uses."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from broker_actors.bootstrap.system import ActorSystem
from broker_actors.cli.demo.actors import ACTORS
from broker_actors.worker.worker import Worker


class Stage:
    """An open system with a worker that runs the demo's actors."""

    def __init__(self, system: ActorSystem) -> None:
        self.system: Final = system
        # Real servers keep what earlier runs left: ids that are new each time make a run repeatable.
        self._run: Final = system.backend.clock.token()[:10]
        self._worker = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the worker."""
        await self.start_worker()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the worker."""
        await self.stop_worker()

    def name(self, what: str) -> str:
        """Return the actor id that *what* has in this run, and in no other."""
        return f"{what}-{self._run}"

    async def start_worker(self) -> None:
        """Start a worker for the demo's actors."""
        await self._worker.enter_async_context(Worker(self.system, *ACTORS))

    async def stop_worker(self) -> None:
        """Stop the worker in order. Idempotent."""
        await self._worker.aclose()
