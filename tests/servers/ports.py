"""Free ports.

Nobody can reserve a port for a server that starts later, so what remains of the race is made
unlikely: the ports lie below the range from which the system takes those of outgoing connections,
are drawn at random, and a server that finds its port taken is started on another.
"""

import secrets
import socket

_FIRST, _COUNT = 10_500, 2_000
_TRIES_MAX = 100

MANAGEMENT_OFFSET = 10_000
"""Distance from a RabbitMQ's port to that of its management API. Commands that start servers share it."""

DISTRIBUTION_OFFSET = 20_000
"""Distance to the port on which its Erlang node listens for others."""


def free_port() -> int:
    """Return a port that is free now, and whose companions are free too."""
    for _ in range(_TRIES_MAX):
        port = _FIRST + secrets.randbelow(_COUNT)
        if all(_is_free(port + offset) for offset in (0, MANAGEMENT_OFFSET, DISTRIBUTION_OFFSET)):
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
