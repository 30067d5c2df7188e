"""A durable flow that another release changes under way, on real servers, and that is put back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, BusinessError
from broker_actors.cli.app import app
from broker_actors.flow import Standing, Status
from tests.workers.daemons import daemon
from tests.workers.releases import JourneyRef
from tests.workers.shell import HANG_SECONDS, ROOT

Serve: TypeAlias = Callable[[str], AbstractAsyncContextManager[None]]
LOOK_SECONDS = 0.05


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """Keeps items running while it is there."""
    file = tmp_path / "hold"
    file.touch()
    return file


@pytest.fixture
def serve(amqp_url: str, redis_url: str, tmp_path: Path, hold: Path) -> Serve:
    """Runs a worker of a release, which is killed in the end, in the middle of whatever it does."""
    servers = {"BROKER_ACTORS_URL": amqp_url, "BROKER_ACTORS_REDIS_URL": redis_url, "HOLD": str(hold)}

    @asynccontextmanager
    async def served(release: str) -> AsyncGenerator[None]:
        settings = {**servers, "RELEASE": release}
        async with daemon(
            "worker", "tests.workers.releases", cwd=ROOT, runtime=tmp_path, settings=settings
        ) as worker:
            await worker.line("ready")
            yield
            worker.process.send_signal(signal.SIGKILL)
            await worker.ended()

    return served


async def _until(journey: JourneyRef, is_so: Callable[[Standing], bool]) -> Standing:
    async with asyncio.timeout(HANG_SECONDS):
        while not is_so(standing := await journey.status()):
            assert not standing.status.has_ended, standing
            await asyncio.sleep(LOOK_SECONDS)
    return standing


@pytest.mark.verify
@pytest.mark.timeout(3 * HANG_SECONDS)
async def test_a_run_waits_at_what_another_release_took_away_and_goes_on_when_it_is_put_back(
    serve: Serve, system: ActorSystem, hold: Path, amqp_url: str, redis_url: str
) -> None:
    journey = system.ref(JourneyRef, "j1")

    async def shown() -> str:
        line = ["flows", "show", "Journey", "j1", "--amqp", amqp_url, "--redis", redis_url]
        return (await asyncio.to_thread(CliRunner().invoke, app, line)).stdout

    async with serve("first"):
        await journey.start({})
        await _until(journey, lambda standing: standing.at == "later")
    async with serve("second"):  # a wait between attempts
        standing = await _until(journey, lambda standing: bool(standing.problem))
        assert standing.problem.startswith("the flow has no node 'later', and a run needs it")
        assert f"held up     {standing.problem}\n" in await shown()
    async with serve("first"):
        await _until(journey, lambda standing: standing.items_all == 4)
    async with serve("second"):  # items that run
        standing = await _until(journey, lambda standing: bool(standing.problem))
        assert (standing.at, standing.items) == ("Items", 0)
        assert "held up     the flow has no node 'Items'" in await shown()
    hold.unlink()  # noqa: ASYNC240 - a file of a test is gone at once
    async with serve("first"):
        await _until(journey, lambda standing: standing.status is Status.WAITING)
    async with serve("second"):  # a person
        with pytest.raises(BusinessError, match=r"has no node 'Ask'.*complete it again then"):
            await journey.complete("Ask", "yes")
        assert "promise     Journey/j1#Ask@" in await shown()
    async with serve("first"):
        await journey.complete("Ask", "yes")
        await _until(journey, lambda standing: standing.status is Status.DONE)
        ended = {"ran": ["start", "later", "end"], "squares": [1, 4, 9, 16], "answer": "yes"}
        assert await journey.result() == ended
    assert (await system.backend.transport.depth("actors.dead.Journey")).ready == 0
