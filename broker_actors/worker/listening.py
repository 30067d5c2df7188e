"""Where a health endpoint is: a TCP address, or a socket that only the same user can reach.

Every worker has a socket of the second kind, named by its process id in a folder of the
user's own, so that `broker-actors debug dump` finds it without any configuration.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from broker_actors.core.errors import ConfigurationError, PlatformError

#: Waiting connections; more are refused by the system.
_BACKLOG: Final = 16
#: The longest answer that is read: a dump of a thousand turns.
ANSWER_BYTES_MAX: Final = 64 * 1_048_576
_PRIVATE: Final = 0o700
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Place: TypeAlias = Tcp | Path


def tcp(text: str) -> Tcp:
    """Return the address in *text*: `127.0.0.1:8080`, `[::1]:8080`, or `:8080` for all interfaces.

    Raises:
        ConfigurationError: it is none.

    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdecimal() or int(port) > _PORT_MAX:
        raise ConfigurationError(f"{text!r} is no HOST:PORT, as in 127.0.0.1:8080")
    return Tcp(host.strip("[]"), int(port))


def listener(place: Place) -> socket.socket:
    """Return a socket that listens at *place*.

    Raises:
        OSError: it cannot.

    """
    if isinstance(place, Path):
        return _unix_listener(place)
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    return socket.create_server((place.host, place.port), family=family, backlog=_BACKLOG)


def private_place(name: str) -> Path:
    """Return the path of the socket *name* in the user's own folder, which is made if missing.

    Raises:
        OSError: there is no such folder, or it is somebody else's.

    """
    parent = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(parent) / f"broker-actors-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=_PRIVATE)
    found = folder.lstat()
    # In a folder everybody may write to, the name could be taken by anybody.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(0, f"{folder} is not a folder of this user alone")
    return folder / name


def ask(place: Place, path: str, timeout_seconds: float) -> tuple[int, str]:
    """Return status and text of what the endpoint at *place* answers to `GET path`.

    Raises:
        PlatformError: nobody answers there, in time.

    """
    connection: HTTPConnection
    if isinstance(place, Path):
        connection = _UnixConnection(place, timeout_seconds)
    else:
        try:
            connection = HTTPConnection(place.host or "127.0.0.1", place.port, timeout=timeout_seconds)
        except HTTPException as error:
            raise ConfigurationError(f"{place} is no HOST:PORT: {error}") from None
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(ANSWER_BYTES_MAX).decode(errors="replace")
    except (OSError, HTTPException, ValueError) as error:
        # The last: a host that no name can be made of.
        raise PlatformError(f"no answer at {place}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def of_url(url: str) -> Tcp:
    """Return the address in *url*: `http://host:port`, or just `host:port`.

    Raises:
        ConfigurationError: it is none.

    """
    if "@" in url:
        # Whoever takes it for a URL with a password must not see the password printed.
        raise ConfigurationError("a health URL is http://HOST:PORT, without user and password")
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
    except ValueError:
        raise ConfigurationError("the health URL cannot be read: it is no http://HOST:PORT") from None
    if parts.scheme not in {"", "http"} or parts.path.strip("/"):
        raise ConfigurationError(f"{url!r} is no http://HOST:PORT")
    return tcp(parts.netloc)


def _unix_listener(place: Path) -> socket.socket:
    try:
        ask(place, "/alive", 1.0)
    except PlatformError:
        # Left behind by a process that was killed.
        place.unlink(missing_ok=True)
    else:
        raise FileExistsError(0, "somebody listens there")
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(place))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, place: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._place = place

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))
