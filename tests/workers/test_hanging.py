"""A method that never returns: its worker ends, others go on, and in the end the message is given up."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from broker_actors import ActorSystem, SystemFaultError
from broker_actors.core.dead import Reason
from broker_actors.core.verdict import CRASHES_MAX
from tests.acceptance import dead_letters
from tests.workers.conftest import Run
from tests.workers.daemons import daemon

NEIGHBOURS = 5
#: A guard against hanging, not a measurement.
HANG_SECONDS = 150.0
#: The loop hangs when it was held up for twice as long.
BLOCK_SECONDS = "0.5"

HANGER = """
import time
from broker_actors import actor, method

@actor(partitions=1)
class Hanger:
    runs: int = 0

    @method
    def run(self) -> int:
        self.runs += 1
        return self.runs

    @method
    def spin(self) -> None:
        while True:
            pass

    @method
    def sleep(self) -> None:
        time.sleep(10**6)
"""


async def test_a_worker_that_hangs_says_in_what_and_ends(run: Run, system: ActorSystem) -> None:
    async with run(BROKER_ACTORS_MAX_LOOP_BLOCK_SECONDS=BLOCK_SECONDS) as worker:
        await worker.line("ready: Sleeper")
        await system.ref("Sleeper", "s1").block.tell(1000)
        line = await worker.line("CRITICAL the event loop has been held up for")
        assert "by Sleeper/s1.block 'n:" in line
        assert "attempt 1: this process ends" in line
        await worker.line("threading.Event().wait(seconds)")
        assert await worker.ended() == -signal.SIGABRT


@pytest.mark.verify
@pytest.mark.timeout(2 * HANG_SECONDS)
@pytest.mark.parametrize("method", ["spin", "sleep"])
async def test_a_method_that_never_returns_is_given_up_and_its_neighbours_run_once(
    method: str, amqp_url: str, redis_url: str, system: ActorSystem, tmp_path: Path
) -> None:
    (tmp_path / "hanger.py").write_text(HANGER)
    settings = {
        "BROKER_ACTORS_URL": amqp_url,
        "BROKER_ACTORS_REDIS_URL": redis_url,
        "BROKER_ACTORS_MAX_LOOP_BLOCK_SECONDS": BLOCK_SECONDS,
    }
    words = ("worker", "hanger", "--processes", "2")
    async with daemon(*words, cwd=tmp_path, runtime=tmp_path, settings=settings) as parent:
        await parent.line("ready: hanger")
        neighbours = [
            system.ref("Hanger", f"h{n}").with_options(timeout=HANG_SECONDS) for n in range(NEIGHBOURS)
        ]
        before = [asyncio.create_task(one.call("run")) for one in neighbours]
        asking = asyncio.create_task(
            system.ref("Hanger", "bad").with_options(timeout=HANG_SECONDS).call(method)
        )
        after = [asyncio.create_task(one.call("run")) for one in neighbours]
        with pytest.raises(SystemFaultError, match="workers died while they ran this message") as told:
            await asking
        assert told.value.remote_type == "CrashLoopError"
        assert await asyncio.gather(*before, *after) == [1] * NEIGHBOURS + [2] * NEIGHBOURS
        [letter] = await dead_letters.take(system.backend.transport, "Hanger", 1)
        assert (letter.reason, letter.message.type) == (Reason.CRASHED, method)
        hung = [line for line in parent.lines if f"by Hanger/bad.{method} " in line]
        killed = [line for line in parent.lines if "was killed by SIGABRT" in line]
        # The first was of nobody's suspect.
        assert (len(hung), len(killed)) == (CRASHES_MAX + 1, CRASHES_MAX + 1)
        # Whoever is left, or came back, works.
        assert await system.ref("Hanger", "bad").with_options(timeout=HANG_SECONDS).call("run") == 1
        parent.process.terminate()
        assert await parent.ended() == 0
