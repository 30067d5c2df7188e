"""A foreign service beside a real worker, on an empty broker and an empty store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_actors import ActorSystem
from tests.foreign.service import NODE_MODULES, PROGRAMS, Service
from tests.workers.shell import worker


@pytest.fixture
def service(tmp_path: Path, amqp_url: str, redis_url: str) -> Service:
    """Where somebody else's programs run."""
    assert NODE_MODULES.is_dir(), "run infra/install-node-client with the virtual environment, as make does"
    return Service(tmp_path, amqp_url, redis_url)


@pytest.fixture
async def running(amqp_url: str, redis_url: str) -> AsyncIterator[None]:
    """A worker process with the actors of the how-to, and those of the tests."""
    servers = ("--amqp", amqp_url, "--redis", redis_url)
    async with worker("accounts", "tests.foreign.mirror", *servers, cwd=PROGRAMS):
        yield


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    """This package's own view of the actors."""
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        yield system
