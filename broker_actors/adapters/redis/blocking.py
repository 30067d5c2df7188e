"""One connection to Redis for a thread, with deadlines of its own.

redis-py's connections for threads are not those of the event loop; URL, TLS and credentials
mean the same to both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from redis import connection as driver
from redis.backoff import NoBackoff
from redis.retry import Retry

from broker_actors.adapters.redis.connection import Answer, at, options_of, place_of
from broker_actors.adapters.redis.settings import Place, RedisSettings
from broker_actors.core.errors import ConfigurationError

#: How long connecting, or one answer, may take.
ANSWER_SECONDS: Final = 1.0

#: redis-py does not say what it takes and returns.
_parse_url: Final = cast("Callable[[str], object]", driver.parse_url)  # pyright: ignore[reportUnknownMemberType]


class _Connection(Protocol):
    """The part of redis-py's connection for threads we use."""

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None: ...  # noqa: FBT001, FBT002 - the driver's signature
    def read_response(self) -> Answer: ...


class BlockingLink:
    """A connection of one thread: opened by a question, closed at the first doubt; nothing is retried."""

    def __init__(self, settings: RedisSettings, purpose: str) -> None:
        """Prepare a connection without opening it.

        Raises:
            ConfigurationError: the URL cannot work.

        """
        self._options = {
            **options_of(settings, purpose, _parse_url),
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": ANSWER_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        self._connection = _new(self._options)

    def ask(self, command: bytes) -> Answer:
        """Return the answer to a packed *command*; raises RedisError or OSError."""
        try:
            # Does nothing if connected.
            self._connection.connect()
            self._connection.send_packed_command([command], check_health=False)
            return self._connection.read_response()
        except BaseException:
            self.drop()
            raise

    def move(self, place: Place | None) -> None:
        """Connect to *place* from now on; None changes nothing."""
        if place is not None and place != place_of(self._options):
            self._options |= at(place)
            self.drop()

    def drop(self) -> None:
        """Close the connection, in whatever state it is; the next question opens another. Idempotent."""
        self._connection.disconnect()
        self._connection = _new(self._options)


def _new(options: dict[str, object]) -> _Connection:
    arguments = dict(options)
    connect = cast("Callable[..., _Connection]", arguments.pop("connection_class", driver.Connection))
    try:
        return connect(**arguments)
    except TypeError as error:
        raise ConfigurationError(f"the Redis URL has an option nobody knows: {error}") from error
