"""Programs that tests start on the servers of a deployment, to kill or freeze them."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.acceptance.conftest import Deployment

#: A guard against hanging: interpreters start one after the other.
HANG_SECONDS: Final = 50.0


@asynccontextmanager
async def module(real: Deployment, name: str, *arguments: str) -> AsyncIterator[Process]:
    """Run the Python module *name* on the servers of *real*; kill it at the end."""
    servers = {"BROKER_ACTORS_URL": real.settings.url, "BROKER_ACTORS_REDIS_URL": real.settings.redis_url}
    command = [sys.executable, "-m", name, *arguments]
    running = await asyncio.create_subprocess_exec(*command, env={**os.environ, **servers}, stdout=PIPE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


@asynccontextmanager
async def process(real: Deployment, *arguments: str) -> AsyncIterator[Process]:
    """Run the command line on the servers of *real*; kill it at the end."""
    async with module(real, "broker_actors.cli", *arguments) as running:
        yield running


async def said(process: Process, words: str) -> str:
    """Wait for the line of *process* that begins with *words*; return the rest of it."""
    assert process.stdout is not None
    async with asyncio.timeout(HANG_SECONDS):
        while line := (await process.stdout.readline()).decode():
            if line.rstrip() == words or line.startswith(words + " "):
                return line.removeprefix(words + " ").strip()
    raise AssertionError(f"it ended without {words!r}")
