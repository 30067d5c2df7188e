"""What the tests of daemons share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import pytest

from broker_actors import ActorSystem
from tests.workers.daemons import Daemon, daemon

Run: TypeAlias = Callable[..., AbstractAsyncContextManager[Daemon]]

SLEEPER = """
import asyncio
import logging
import threading
import time
from broker_actors import actor, method

@actor(partitions=2)
class Sleeper:
    naps: int = 0

    @method
    async def nap(self, seconds: float) -> int:
        logging.getLogger("sleeper").info("napping")
        await asyncio.gather(self.snore(seconds), asyncio.sleep(0))
        self.naps += 1
        return self.naps

    async def snore(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @method
    def block(self, seconds: float) -> None:
        logging.getLogger("sleeper").info("blocking")
        threading.Event().wait(seconds)

    @method
    def count(self) -> int:
        return self.naps

    @method
    def version(self) -> str:
        return "first"
"""


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        yield system


@pytest.fixture
def sleeper(tmp_path: Path) -> Path:
    """The module `sleeper`, in a folder of its own."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "sleeper.py").write_text(SLEEPER)
    return folder


@pytest.fixture
def run(amqp_url: str, redis_url: str, sleeper: Path, tmp_path: Path) -> Run:
    """Runs `broker-actors worker sleeper` with more words."""
    servers = {"BROKER_ACTORS_URL": amqp_url, "BROKER_ACTORS_REDIS_URL": redis_url}

    def start(*words: str, **settings: str) -> AbstractAsyncContextManager[Daemon]:
        return daemon("worker", "sleeper", *words, cwd=sleeper, runtime=tmp_path, settings=servers | settings)

    return start
