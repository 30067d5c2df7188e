"""A real HTTP server on a free port, whose pages misbehave in known ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Final

#: More than any test accepts.
_PIECES_MAX: Final = 10_000
#: A guard against hanging, not a measurement.
_HANG_SECONDS: Final = 50.0


class Site(ThreadingHTTPServer):
    """The server; `requests` counts what was asked for, `unchanged` what was answered with 304."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url: Final = f"http://127.0.0.1:{self.server_port}"
        self.requests: Final[Counter[str]] = Counter()
        self.unchanged = 0
        #: Set when `/held` is asked for.
        self.held: Final = Event()
        #: Lets `/held` and `/hangs` go on; set when whoever asked for `/endless` went away.
        self.release: Final = Event()


@contextmanager
def site() -> Iterator[Site]:
    """Run a server."""
    with Site() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def _site(self) -> Site:
        assert isinstance(self.server, Site)
        return self.server

    def do_GET(self) -> None:
        """Answer as the path says."""
        self._site.requests[self.path] += 1
        first, *_rest = self.path.strip("/").split("-")
        match first:
            case "page" if self.headers["If-None-Match"] == '"v1"':
                self._site.unchanged += 1
                self._answer(304)
            case "page":
                self._answer(200, "grüße".encode("latin-1"))
            case "flaky":
                self._answer(503 if self._site.requests[self.path] < 3 else 200)
            case "busy":
                self._answer(429 if self._site.requests[self.path] < 2 else 200)
            case "held":
                self._site.held.set()
                self._site.release.wait(_HANG_SECONDS)
                self._answer(200)
            case "hangs":
                if self._site.requests[self.path] == 1:
                    self._site.release.wait(_HANG_SECONDS)
                self._answer(200)
            case "endless":
                self._pour()
            case "moved":
                self.send_response(302)
                self.send_header("Location", "/page")
                self.end_headers()
            case status:
                self._answer(int(status))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - called so by its base
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b"ok") -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=latin-1")
            self.send_header("ETag", '"v1"')
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 304:
                self.wfile.write(body)
        except ConnectionError:
            pass  # who asked has lost patience, as a test wants it

    def _pour(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(_PIECES_MAX):
                self.wfile.write(b"x" * 65_536)
        except ConnectionError:
            self._site.release.set()
