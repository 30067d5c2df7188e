"""What a worker says, and how."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from broker_actors import ActorSystem
from tests.workers.conftest import Run


async def test_json_logs_of_a_turn_name_actor_method_and_message(run: Run, system: ActorSystem) -> None:
    async with run("--log-format", "json") as worker:
        await worker.line('"ready: Sleeper"')
        await system.ref("Sleeper", "s1").with_options(idempotency_key="night").call("nap", 0)
        worker.process.send_signal(signal.SIGUSR1)
        await worker.line('"event": "Dump"', "worker process")
        worker.process.terminate()
        assert await worker.ended() == 0
        records: list[dict[str, Any]] = [json.loads(line) for line in worker.lines]
    (napping,) = (one for one in records if one["logger"] == "sleeper")
    assert (napping["message"], napping["actor"], napping["method"]) == ("napping", "Sleeper/s1", "nap")
    assert (napping["message_id"], napping["attempt"]) == ("k:night", 1)
    assert [one["message"] for one in records if one.get("event") == "Stage"] == [
        "ready: Sleeper",
        "stopping",
        "stopped",
    ]


async def test_what_keeps_a_worker_from_starting_is_json_too(run: Run, sleeper: Path) -> None:
    (sleeper / "sleeper.py").write_text("1 / 0")
    async with run("--log-format", "json") as worker:
        assert await worker.ended() == 2
        (line,) = worker.lines
        assert json.loads(line)["level"] == "ERROR"
        assert "ZeroDivisionError" in json.loads(line)["message"]


async def test_a_worker_whose_insides_died_says_so_and_exits_with_2(run: Run, sleeper: Path) -> None:
    broken = """
from broker_actors import Worker

async def run(self, until):
    raise RuntimeError("the relay is broken")

Worker.run = run
"""
    with (sleeper / "sleeper.py").open("a") as file:
        file.write(broken)
    async with run() as worker:
        await worker.line("CRITICAL died: RuntimeError: the relay is broken")
        assert await worker.ended() == 2
        assert "RuntimeError: the relay is broken" in worker.lines[-1]
