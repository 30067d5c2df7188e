"""`worker --watch`: edits of code are picked up, and half an edit does not end it."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_actors import ActorSystem
from tests.workers.conftest import SLEEPER, Run

pytestmark = pytest.mark.verify


async def test_an_edit_is_picked_up_and_a_syntax_error_waited_out(
    run: Run, system: ActorSystem, sleeper: Path
) -> None:
    code, actor = sleeper / "sleeper.py", system.ref("Sleeper", "s1")
    async with run("--watch") as worker:
        await worker.line("ready: sleeper")
        assert await actor.call("version") == "first"
        seen = len(worker.lines)
        code.write_text(SLEEPER.replace("first", "second"))
        await worker.line("changed: sleeper.py", after=seen)
        await worker.line("ready: sleeper", after=seen)
        assert await actor.call("version") == "second"
        seen = len(worker.lines)
        code.write_text("class Sleeper(:\n")
        await worker.line("error: importing sleeper failed at", "SyntaxError", after=seen)
        await worker.line("waiting for a change", after=seen)
        code.write_text(SLEEPER.replace("first", "third"))
        await worker.line("ready: sleeper", after=seen)
        assert await actor.call("version") == "third"
        worker.process.terminate()
        assert await worker.ended() == 0


async def test_a_worker_that_waits_for_a_change_stops_when_told_to(run: Run, sleeper: Path) -> None:
    (sleeper / "sleeper.py").write_text("1 / 0")
    async with run("--watch", "--processes", "2") as worker:
        await worker.line("waiting for a change")
        worker.process.terminate()
        assert await worker.ended() == 0
