from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker_actors.cli.app import app
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.worker import health, listening
from broker_actors.worker.health import CONNECTIONS_MAX, Answer, HealthServer
from broker_actors.worker.listening import Tcp, ask, of_url, private_place, tcp

#: A guard against hanging, not a measurement.
HANG_SECONDS = 30


class Fake:
    """A probe that says what a test has told it to."""

    def __init__(self) -> None:
        self.answer = Answer(is_so=True)

    def alive(self) -> Answer:
        return self.answer

    def ready(self) -> Answer:
        return Answer(is_so=False, reasons=("the broker is away",))

    def dump(self) -> str:
        return "all of it \udce4\n"


@pytest.fixture
def probe() -> Fake:
    return Fake()


@pytest.fixture
def place(probe: Fake) -> Iterator[Tcp]:
    with HealthServer(probe, Tcp("127.0.0.1", 0)) as server:
        yield Tcp("127.0.0.1", server.port)


def test_yes_is_200_and_no_is_503_with_reasons(place: Tcp, probe: Fake) -> None:
    assert ask(place, "/alive", HANG_SECONDS) == (200, '{"alive": true, "reasons": []}\n')
    assert ask(place, "/ready?verbose", HANG_SECONDS)[0] == 503
    probe.answer = Answer(is_so=False, reasons=("blocked",))
    status, text = ask(place, "/alive", HANG_SECONDS)
    assert (status, json.loads(text)) == (503, {"alive": False, "reasons": ["blocked"]})
    assert ask(place, "/dump", HANG_SECONDS) == (200, "all of it \\udce4\n")
    assert ask(place, "/", HANG_SECONDS)[0] == 404


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_answered(place: Tcp, verb: str) -> None:
    connection = http.client.HTTPConnection(place.host, place.port, timeout=HANG_SECONDS)
    connection.request(verb, "/alive")
    assert connection.getresponse().status == 501
    connection.close()


@pytest.mark.parametrize("bound", ["silence", "whole"])
def test_a_slow_client_is_cut_off_and_no_other_waits_for_it(
    bound: str, place: Tcp, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Either bound alone is enough: a client may also send a byte now and then.
    monkeypatch.setattr(health._Handler, "timeout", 0.1 if bound == "silence" else None)
    monkeypatch.setattr(health, "CONNECTION_SECONDS_MAX", 0.1 if bound == "whole" else HANG_SECONDS * 2)
    with socket.create_connection((place.host, place.port), timeout=HANG_SECONDS) as silent:
        silent.send(b"GET /ali")
        assert ask(place, "/alive", HANG_SECONDS)[0] == 200
        assert silent.recv(1) == b""


def test_connections_are_bounded_and_there_is_room_again(place: Tcp) -> None:
    with ExitStack() as clients:
        for _ in range(CONNECTIONS_MAX):
            client = clients.enter_context(socket.create_connection((place.host, place.port)))
            client.send(b"GET /ali")
        with pytest.raises(PlatformError):
            ask(place, "/alive", HANG_SECONDS)
    while True:
        try:
            assert ask(place, "/alive", HANG_SECONDS)[0] == 200
        except PlatformError:
            continue
        break


def test_a_socket_of_a_killed_worker_is_taken_over_and_one_in_use_is_not(tmp_path: Path, probe: Fake) -> None:
    place = tmp_path / "1.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(place))
    with HealthServer(probe, place):
        assert ask(place, "/alive", HANG_SECONDS)[0] == 200
        with pytest.raises(ConfigurationError, match="cannot listen"), HealthServer(probe, place):
            pass
        assert ask(place, "/alive", HANG_SECONDS)[0] == 200
    assert not place.exists()


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = private_place("1.sock").parent
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)
    with pytest.raises(PermissionError):
        private_place("1.sock")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        private_place("1.sock")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8080", Tcp("127.0.0.1", 8080)),
        (":0", Tcp("", 0)),
        ("[::1]:80", Tcp("::1", 80)),
        ("localhost:65535", Tcp("localhost", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, place: Tcp) -> None:
    assert tcp(text) == place
    assert of_url(f"http://{text}/") == of_url(text) == place
    assert str(place) == text


@pytest.mark.parametrize("text", ["", "8080", "host:", "host:x", "host:65536", "host:-1", "host:²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        listening.tcp(text)


@pytest.mark.parametrize("url", ["https://host:1", "http://host:1/dump", "ftp://host:1"])
def test_what_is_no_url_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        of_url(url)


@pytest.mark.parametrize(
    "url", ["http://a b:1", "http://a\tb:1", f"http://{'x' * 64}.example:1", "http://a..b:1"]
)
def test_a_host_that_cannot_be_one_is_explained(url: str) -> None:
    result = CliRunner().invoke(app, ["debug", "dump", "--health", url])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.output.startswith("error: ")
