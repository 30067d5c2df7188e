"""The log sink: what is in the file, and what a turn that ran twice leaves there."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from broker_actors import ActorSystem, BusinessError, SystemFaultError
from broker_actors.testing import Reason, actor_test
from tests.workers.shell import line_of, worker
from workers import log_sink
from workers.log_sink import LogSink, LogSinkRef

#: The sink, in a process that dies between the file and the commit of the turn that writes "die".
DYING = """
import os, signal
from workers import log_sink
from workers.log_sink import LogSink

__all__ = ["LogSink"]
write = log_sink._write

def write_and_die(file, offset_bytes, data):
    write(file, offset_bytes, data)
    if data == b"die\\n":
        os.kill(os.getpid(), signal.SIGKILL)

log_sink._write = write_and_die
"""


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files will be; made by the sink."""
    monkeypatch.setenv("LOG_SINK_DIRECTORY", str(tmp_path / "logs"))
    return tmp_path / "logs"


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_tells_become_lines_in_the_order_they_were_sent(logs: Path) -> None:
    async with actor_test(LogSink) as kit:
        web, db = kit.ref(LogSinkRef, "web-1"), kit.ref(LogSinkRef, "db")
        for n in range(20):
            await web.append.tell(f"line {n}")
        await db.append.tell("slow query", "another")
        await kit.settled()
        assert (logs / "web-1.log").read_text() == "".join(f"line {n}\n" for n in range(20))
        assert (logs / "db.log").read_text() == "slow query\nanother\n"
        assert await web.tail(2) == ["line 18", "line 19"]


async def test_a_long_file_is_not_read_whole(logs: Path) -> None:
    async with actor_test(LogSink) as kit:
        web = kit.ref(LogSinkRef, "web")
        assert await web.tail() == []
        await web.append(*("x" * 99 for _ in range(1000)))
        assert (logs / "web.log").stat().st_size == 100_000
        assert len(await web.tail(1000)) == log_sink.TAIL_BYTES_MAX // 100


async def test_what_a_failed_turn_wrote_is_written_once(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, failures = log_sink._write, [OSError("disk full"), OSError("disk full")]

    def fail_at_first(file: Path, offset_bytes: int, data: bytes) -> None:
        write(file, offset_bytes, data)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(log_sink, "_write", fail_at_first)
    async with actor_test(LogSink) as kit:
        await kit.ref(LogSinkRef, "web").append.tell("one")
        await kit.ref(LogSinkRef, "web").append.tell("two")
        await kit.settled()
        assert [turn.attempt for turn in kit.turns] == [3, 1]
    assert (logs / "web.log").read_text() == "one\ntwo\n"


async def test_what_a_turn_that_never_commits_wrote_is_cut_off(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = log_sink._write

    def never_commit_the_long_one(file: Path, offset_bytes: int, data: bytes) -> None:
        write(file, offset_bytes, data)
        if data.startswith(b"long"):
            raise OSError("disk full")

    monkeypatch.setattr(log_sink, "_write", never_commit_the_long_one)
    async with actor_test(LogSink) as kit:
        web = kit.ref(LogSinkRef, "web")
        with pytest.raises(SystemFaultError, match="disk full"):
            await web.append("long and longer")
        await web.append("short")
        assert await web.tail() == ["short"]
    assert (logs / "web.log").read_text() == "short\n"


async def test_a_worker_that_no_longer_owns_the_actor_doubles_nothing(logs: Path) -> None:
    async with actor_test(LogSink) as kit:
        web = kit.ref(LogSinkRef, "web")
        await web.append("one")
        await web.append("two")
        # What it still writes of the message it had: the same bytes, where they already are.
        log_sink._write(logs / "web.log", 0, b"one\n")
        await web.append("three")
    assert (logs / "web.log").read_text() == "one\ntwo\nthree\n"


async def test_a_file_that_lacks_what_was_committed_is_not_written_to(logs: Path) -> None:
    async with actor_test(LogSink) as kit:
        web = kit.ref(LogSinkRef, "web")
        await web.append("one")
        await kit.restart()
        (logs / "web.log").write_text("")
        await web.append.tell("two")
        (letter,) = await kit.dead_letters(LogSink)
        assert letter.reason == Reason.FAILED
        assert "has 0 bytes of 4: is it on another machine" in letter.error
        assert [turn.attempt for turn in kit.turns if turn.outcome != "ok"] == [1]
    assert (logs / "web.log").read_text() == ""


@pytest.mark.parametrize(
    ("source", "line", "code"), [("web", "two\nlines", "not_a_line"), ("../web", "one", "bad_source")]
)
async def test_what_would_break_the_file_is_refused(source: str, line: str, code: str, logs: Path) -> None:
    async with actor_test(LogSink) as kit:
        with pytest.raises(BusinessError) as caught:
            await kit.ref(LogSinkRef, source).append(line)
        assert caught.value.code == code
    assert names(logs.parent) == []


async def test_a_worker_that_dies_after_writing_leaves_no_double(
    amqp_url: str, redis_url: str, tmp_path: Path, logs: Path
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    servers = ["--amqp", amqp_url, "--redis", redis_url]
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        web = system.ref(LogSinkRef, "web")
        for line in ("before", "die", "after"):
            await web.append.tell(line)
        async with worker("dying", *servers, cwd=tmp_path) as dying:
            assert await dying.wait() == -signal.SIGKILL
        assert (logs / "web.log").read_text() == "before\ndie\n"
        async with worker("workers.log_sink", *servers, cwd=tmp_path) as successor:
            assert await web.tail() == ["before", "die", "after"]
            successor.terminate()
            await line_of(successor, "stopped")
    assert (logs / "web.log").read_text() == "before\ndie\nafter\n"
