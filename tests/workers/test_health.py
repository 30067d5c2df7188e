"""A worker that is asked how it is, from outside, while it works."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from broker_actors import ActorSystem, PlatformError
from broker_actors.worker.listening import Place, tcp
from tests.servers import RabbitServer
from tests.servers.ports import free_port
from tests.workers.conftest import Run
from tests.workers.daemons import Daemon, daemon, http


async def debug_dump(worker: Daemon, *words: str) -> str:
    runtime = Path(worker.environment["XDG_RUNTIME_DIR"])
    async with daemon("debug", "dump", *words, cwd=runtime, runtime=runtime) as process:
        text = await process.type("")
        assert await process.ended() == 0, process.lines
        return text


@pytest.fixture
def place() -> Place:
    return tcp(f"127.0.0.1:{free_port()}")


async def test_a_blocked_loop_is_reported_with_the_turn_that_blocks_it(
    run: Run, system: ActorSystem, place: Place
) -> None:
    settings = {
        "BROKER_ACTORS_HEALTH": str(place),
        "BROKER_ACTORS_MAX_LOOP_BLOCK_SECONDS": "0.2",
        "BROKER_ACTORS_END_WHEN_HUNG": "false",
    }
    async with run(**settings) as worker:
        await worker.line("ready: Sleeper")
        assert await http(place, "/alive") == (200, '{"alive": true, "reasons": []}\n')
        assert await http(place, "/ready") == (200, '{"ready": true, "reasons": []}\n')
        await system.ref("Sleeper", "s1").block.tell(1000)
        await worker.line("blocking")
        while (answer := await http(place, "/alive"))[0] == 200:
            assert answer[1] == '{"alive": true, "reasons": []}\n'
        status, text = answer
        assert status == 503
        (reason,) = json.loads(text)["reasons"]
        assert "held up for" in reason
        assert "by Sleeper/s1.block 'n:" in reason
        assert (await http(place, "/ready"))[0] == 503
        _status, dump = await http(place, "/dump")
        (title,) = (line for line in dump.splitlines() if line.startswith("Sleeper/s1.block"))
        assert "attempt 1: holds the event loop, for " in title
        assert "in block\n    threading.Event().wait(seconds)" in dump
        # Both while it is blocked: by a thread, and by a signal handler between two bytecodes.
        assert "in block\n    threading.Event().wait(seconds)" in await debug_dump(worker, str(worker.pid))
        worker.process.send_signal(signal.SIGUSR1)
        await worker.line("Sleeper/s1.block", "holds the event loop")
        await worker.line("threading.Event().wait(seconds)")
        # The second request ends it although its loop never hears of the first.
        with suppress(PlatformError):
            while True:
                worker.process.terminate()
                await http(place, "/alive")
        assert await worker.ended() == -signal.SIGTERM


async def test_a_dump_shows_what_a_turn_awaits_and_what_waits_behind_it(
    run: Run, system: ActorSystem, place: Place
) -> None:
    async with run("--health", str(place)) as worker:
        await worker.line("ready: Sleeper")
        actor = system.ref("Sleeper", "s1").with_options(idempotency_key="night")
        await actor.nap.tell(1000)
        await worker.line("napping")
        for _ in range(3):
            await system.ref("Sleeper", "s1").count.tell()
        while "3 wait behind it" not in (dump := (await http(place, "/dump"))[1]):
            assert "Sleeper/s1.nap 'k:night' attempt 1: awaits, for " in dump
        # Through the gather, down to the coroutine that sleeps.
        for line in ("in nap", "in snore", "await asyncio.sleep(seconds)"):
            assert line in dump
        assert "in snore" in await debug_dump(worker)
        assert "in snore" in await debug_dump(worker, "--health", f"http://{place}")
        worker.process.send_signal(signal.SIGUSR1)
        await worker.line("Sleeper/s1.nap 'k:night' attempt 1: awaits", "3 wait behind it")


async def test_a_dump_of_a_process_that_is_no_worker_says_so(tmp_path: Path) -> None:
    for words, text in (
        ((), "no worker of this user runs"),
        (("1",), "process 1 is no worker of this user"),
        (("--health", "127.0.0.1:1"), "no answer at 127.0.0.1:1"),
        (("--health", "nowhere"), "no HOST:PORT"),
    ):
        async with daemon("debug", "dump", *words, cwd=tmp_path, runtime=tmp_path) as process:
            assert await process.ended() == 2
            (line,) = process.lines
            assert line.startswith("error: ")
            assert text in line


async def test_an_address_that_is_taken_is_one_line_and_2(run: Run, place: Place) -> None:
    taken = await asyncio.start_server(
        lambda _reader, writer: writer.close(), "127.0.0.1", int(str(place).split(":")[1])
    )
    async with taken, run("--health", str(place)) as worker:
        assert await worker.ended() == 2
        assert worker.lines[-1] == f"error: cannot listen on {place}: Address already in use"


async def test_an_address_of_no_host_is_one_line_and_2(run: Run) -> None:
    async with run("--health", "nowhere.invalid:80") as worker:
        assert await worker.ended() == 2
        assert worker.lines[-1].startswith("error: cannot listen on nowhere.invalid:80: ")
        assert "Unknown error" not in worker.lines[-1]


async def test_a_lost_broker_is_said_once_and_seen_by_those_who_ask(
    run: Run, rabbit_server: RabbitServer, place: Place
) -> None:
    async with run("--health", str(place)) as worker:
        await worker.line("ready: Sleeper")
        await answers(place, "/ready", 200)
        seen = len(worker.lines)
        rabbit_server.kill()
        text = await answers(place, "/ready", 503)
        assert json.loads(text)["reasons"]
        # Restarting the worker would not bring the broker back.
        assert (await http(place, "/alive"))[0] == 200
        rabbit_server.restart()
        await answers(place, "/ready", 200)
        lost = [line for line in worker.lines[seen:] if "INFO Connected" not in line]
        assert len([line for line in lost if "ConnectionLost" in line]) == 1
        assert not [line for line in lost if "ConsumerLost" in line or "Traceback" in line]


async def answers(place: Place, path: str, status: int) -> str:
    """Ask until the answer is *status*; a test that waits for ever is ended from outside."""
    while (answer := await http(place, path))[0] != status:
        pass
    return answer[1]
