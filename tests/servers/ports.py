"""Free ports.

Nobody can reserve a port for a server that starts later, so what remains of the race is made
unlikely: the ports lie below the range from which the system takes those of outgoing connections,
are drawn at random, and a server that finds its port taken is started on another.
"""

import secrets
import socket

_FIRST, _COUNT = 12_000, 10_000
_TRIES_MAX = 100

COMPANION_OFFSET = 10_000
"""Distance from a server's port to that of its management API. A convention that server commands share."""


def free_port() -> int:
    """Return a port that is free now, and whose companion is free too."""
    for _ in range(_TRIES_MAX):
        port = _FIRST + secrets.randbelow(_COUNT)
        if _is_free(port) and _is_free(port + COMPANION_OFFSET):
            return port
    message = f"no free port between {_FIRST} and {_FIRST + _COUNT}"
    raise OSError(message)


def is_open(port: int) -> bool:
    """Tell whether something accepts connections on *port*."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(port: int, request: bytes, expected: bytes) -> bool:
    """Tell whether what listens on *port* answers *request* with bytes that start with *expected*."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(request)
            return connection.recv(len(expected)) == expected
    except OSError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
