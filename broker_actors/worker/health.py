"""The health endpoint: three questions over HTTP, answered while the event loop is blocked.

`GET /alive` and `GET /ready` answer 200 or 503 with JSON, `GET /dump` text. It runs in threads
of its own. Invariant: whoever connects can hold little and only for a while: connections,
their time and what they may send are bounded, and nothing they say is acted on.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from time import monotonic
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self, TypeAlias

from broker_actors.core.errors import ConfigurationError
from broker_actors.worker.listening import Place, listener

CONNECTIONS_MAX: Final = 16
#: What a connection may take, from its first byte to its last.
CONNECTION_SECONDS_MAX: Final = 30.0
#: How long a client may keep us waiting for the next byte.
SILENCE_SECONDS_MAX: Final = 5.0
#: How often connections are looked at that take too long; also how long stopping takes.
POLL_SECONDS: Final = 0.5

#: What socketserver calls a connection; the tuple is for datagrams, which never come.
_Request: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether it is so, and if not why.

    Attributes:
        is_so: yes or no.
        reasons: why not, one sentence each.

    """

    is_so: bool
    reasons: tuple[str, ...] = ()


class Probe(Protocol):
    """What the endpoint asks; from its threads, several at a time."""

    def alive(self) -> Answer:
        """Return whether the process works at all: if not, only a restart helps."""
        ...

    def ready(self) -> Answer:
        """Return whether it does what it is there for."""
        ...

    def dump(self) -> str:
        """Return what it does at this moment, for a person."""
        ...


class HealthServer:
    """Answers for a probe from entering to leaving."""

    def __init__(self, probe: Probe, place: Place) -> None:
        self._probe = probe
        self._place = place
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert self._server is not None
        return int(self._server.socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Begin to answer.

        Raises:
            ConfigurationError: the address cannot be listened on.

        """
        try:
            self._server = _Server(listener(self._place), self._probe)
        except OSError as error:
            # Of a name that leads nowhere, the number is none of the system's.
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror or str(error)
            raise ConfigurationError(f"cannot listen on {self._place}: {why}") from error
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(POLL_SECONDS,), name="broker-actors-health", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop answering."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            if isinstance(self._place, Path):
                self._place.unlink(missing_ok=True)


class _Server(ThreadingMixIn, TCPServer):
    """Bounds the connections; reads nothing itself."""

    daemon_threads = True
    #: Leaving waits for nobody.
    block_on_close = False

    def __init__(self, listening: socket.socket, probe: Probe) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.probe = probe
        self._since: dict[_Request, float] = {}

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 - socketserver's signature
        """Return whether there is room for one more connection."""
        return len(self._since) < CONNECTIONS_MAX

    def process_request(self, request: _Request, client_address: object) -> None:
        """Serve a connection in a thread."""
        self._since[request] = monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Request) -> None:
        """End a connection."""
        self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End the connections that take too long."""
        for request, since_seconds in list(self._since.items()):
            if monotonic() - since_seconds > CONNECTION_SECONDS_MAX:
                self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is no event of ours."""


class _Handler(BaseHTTPRequestHandler):
    """One request; HTTP/1.0, so the connection ends with it."""

    timeout: ClassVar[float | None] = SILENCE_SECONDS_MAX

    def do_GET(self) -> None:
        """Answer."""
        assert isinstance(self.server, _Server)
        probe = self.server.probe
        match self.path.partition("?")[0]:
            case "/alive":
                self._answer("alive", probe.alive())
            case "/ready":
                self._answer("ready", probe.ready())
            case "/dump":
                self._send(HTTPStatus.OK, "text/plain; charset=utf-8", probe.dump())
            case _:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is /alive, /ready and /dump\n")

    def version_string(self) -> str:
        """Return what the header `Server` says: nothing about versions."""
        return "broker-actors"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Log nothing: probes come every few seconds."""

    def _answer(self, name: str, answer: Answer) -> None:
        status = HTTPStatus.OK if answer.is_so else HTTPStatus.SERVICE_UNAVAILABLE
        text = json.dumps({name: answer.is_so, "reasons": list(answer.reasons)})
        self._send(status, "application/json", f"{text}\n")

    def _send(self, status: HTTPStatus, content_type: str, text: str) -> None:
        content = text.encode(errors="backslashreplace")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)
