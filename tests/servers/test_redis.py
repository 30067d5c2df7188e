"""The private Redis breaks and comes back as tests expect of it, and shows what both servers share."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.servers import RedisServer, ServerError
from tests.servers.polling import until
from tests.servers.ports import free_port, is_open

_HELD_UNTIL_KILLED = """
import signal
from tests.servers import RedisServer
server = RedisServer()
server.start()
print(server.port, server.folder, flush=True)
signal.pause()
"""


def _client(url: str) -> redis.Redis:
    # Timeouts are short because only a frozen server is slow, and those tests wait for it.
    return redis.Redis.from_url(url, socket_timeout=0.5, retry=None)


def test_keeps_confirmed_writes_through_a_kill(redis_server: RedisServer) -> None:
    with _client(redis_server.url) as client:
        client.set("key", "kept")
        redis_server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")

        redis_server.restart()
        assert client.get("key") == b"kept"


def test_keeps_its_data_through_a_restart(redis_server: RedisServer) -> None:
    with _client(redis_server.url) as client:
        client.set("key", "kept")
        port = redis_server.port
        redis_server.restart()
        assert (port, b"kept") == (redis_server.port, client.get("key"))


def test_is_silent_while_frozen_and_goes_on_afterwards(redis_server: RedisServer) -> None:
    with _client(redis_server.url) as client:
        redis_server.freeze()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        redis_server.thaw()
        assert client.get("key") is None


def test_an_orderly_stop_reaches_a_frozen_server(redis_server: RedisServer) -> None:
    redis_server.freeze()
    redis_server.stop()
    assert not redis_server.is_running


def test_the_shared_store_is_empty_and_not_the_first_database(redis_url: str) -> None:
    assert redis_url.endswith("/9")
    with _client(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_the_shared_store_is_empty_for_the_next_test_too(redis_url: str) -> None:
    with _client(redis_url) as client:
        assert client.dbsize() == 0


def test_ends_with_a_test_run_that_is_killed() -> None:
    run = subprocess.Popen([sys.executable, "-c", _HELD_UNTIL_KILLED], stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout is not None
        port, folder = run.stdout.readline().split()
        assert is_open(int(port))
        os.kill(run.pid, signal.SIGKILL)

    until(lambda: not is_open(int(port)), "ending the server", timeout_seconds=10)
    until(lambda: not Path(folder).exists(), "removing its folder", timeout_seconds=10)


def test_takes_another_port_if_its_own_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr("tests.servers.server.free_port", lambda: next(ports))
        with RedisServer() as started, _client(started.url) as client:
            assert client.ping()


def test_a_server_that_ends_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_ACTORS_TEST_REDIS_COMMAND", "sh -c 'echo no disk at {port}; exit 3'")
    with pytest.raises(ServerError, match=r"sh ended with code 3:\nno disk at \d+"), RedisServer():
        pytest.fail("it started")


@pytest.mark.parametrize("template", ["redis-server", "redis-server {port} {host}", "redis-server {port} {"])
def test_a_command_it_cannot_fill_in_is_refused(monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    monkeypatch.setenv("BROKER_ACTORS_TEST_REDIS_COMMAND", template)
    with pytest.raises(ServerError, match="BROKER_ACTORS_TEST_REDIS_COMMAND"), RedisServer():
        pytest.fail("it started")


def test_a_command_starts_another_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    template = "redis-server --port {port} --dir {folder} --databases 3"
    monkeypatch.setenv("BROKER_ACTORS_TEST_REDIS_COMMAND", template)
    with RedisServer() as started, _client(started.url) as client:
        assert client.config_get("databases") == {"databases": "3"}
