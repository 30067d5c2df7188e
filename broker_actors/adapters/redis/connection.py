"""One connection to Redis: opened on demand, dropped at the first doubt, never retried in secret.

redis-py does the handshake, TLS and the protocol. Its own retries are off (it would send a
command again up to ten times): whoever owns a `Link` decides what is safe to send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias, cast

import hiredis
from redis.asyncio import connection as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from broker_actors.adapters.redis import parsing
from broker_actors.adapters.redis.parsing import BatchParser
from broker_actors.adapters.redis.patience import patience
from broker_actors.adapters.redis.settings import PORT, Place, RedisSettings
from broker_actors.core.errors import QUOTING, ConfigurationError
from broker_actors.core.events import Connected, ConnectionLost
from broker_actors.ports.observer import Observer

#: What a command is made of.
Arg: TypeAlias = bytes | str | int
#: What Redis answers; an error is an answer like any other.
Answer: TypeAlias = "bytes | int | RedisError | list[Answer] | None"

_REFUSALS: Final = (AuthenticationError, AuthorizationError, NoPermissionError)
#: In what Redis says of a database that it has not: the number is too high, or a cluster has but one.
_NO_DATABASE: Final = ("DB index", "SELECT")
_SCHEMES: Final = ("redis://", "rediss://", "unix://")


#: Packs a command as `pack` does. Its stub forgets what it returns and allows one argument only.
pack_all: Final = cast(
    "Callable[[tuple[Arg, ...]], bytes]",
    hiredis.pack_command,  # pyright: ignore[reportUnknownMemberType]
)


class LinkLostError(Exception):
    """The connection is gone: what was sent may or may not have happened."""


class LinkRefusedError(Exception):
    """Redis does not let us in; trying again cannot help."""


class _Connection(Protocol):
    """The part of redis-py's connection we use."""

    async def connect(self) -> None: ...
    async def disconnect(self, nowait: bool = False) -> None: ...  # noqa: FBT001, FBT002 - the driver's signature
    async def send_packed_command(self, command: Sequence[bytes], check_health: bool = True) -> None: ...  # noqa: FBT001, FBT002 - the driver's
    async def read_response(self) -> Answer: ...


def pack(*args: Arg) -> bytes:
    """Return a command in Redis' wire format."""
    return pack_all(args)


class Link:
    """A connection with one user: send a batch, read its answers, send the next.

    Invariant: after any failure, timeout or cancellation the connection is closed, so that
    an answer can never be taken for that of another command.
    """

    def __init__(
        self, settings: RedisSettings, observer: Observer, purpose: str, place: Place | None = None
    ) -> None:
        """Prepare a connection without opening it, to *place* if that is not the one in the URL.

        Raises:
            ConfigurationError: the URL cannot work.

        """
        self._settings = settings
        self._observer = observer
        self._options = options_of(settings, purpose, driver.parse_url)
        self._purpose = purpose
        self._connection: _Connection | None = None
        #: Reads the answers of that connection; None to have it read them.
        self._parser: BatchParser | None = None
        if place is not None:
            self._options |= at(place)
        # Now, not at the first use: options of the URL that mean nothing must be told at the start.
        _new(self._options)
        #: Which server and what for, without credentials.
        self.server = f"redis {_place(self._options)} ({purpose})"

    @property
    def place(self) -> Place | None:
        """Host and port; None for a socket."""
        return place_of(self._options)

    async def move(self, place: Place | None) -> None:
        """Connect to *place* from now on; None changes nothing."""
        if place is None or place == self.place:
            return
        await self.drop(f"{place[0]}:{place[1]} has it now")
        self._options |= at(place)
        self.server = f"redis {_place(self._options)} ({self._purpose})"

    async def open(self) -> bool:
        """Connect if not connected; return whether the connection is new.

        Raises:
            LinkLostError: no working server within `attempt_seconds`.
            LinkRefusedError: the server refuses the user or password, or has no such database.

        """
        if self._connection is not None:
            return False
        parser = BatchParser() if parsing.is_known() else None
        connection = _new(self._options if parser is None else {**self._options, "parser_class": parser})
        try:
            async with asyncio.timeout(self._settings.attempt_seconds):
                await connection.connect()
                # A server that is still loading, or cannot write to its disk, says so here.
                await connection.send_packed_command([pack("PING")], check_health=False)
                await connection.read_response()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, _REFUSALS):
                text = f"{self.server} does not let us in: {error} Check user and password in the Redis URL"
                raise LinkRefusedError(text) from error
            if isinstance(error, ResponseError) and any(word in str(error) for word in _NO_DATABASE):
                text = f"{self.server} has no such database: {error}. Check the end of the Redis URL"
                raise LinkRefusedError(text) from error
            if isinstance(error, (RedisError, OSError, TimeoutError)):
                raise LinkLostError(str(error) or "no connection in time") from error
            raise
        self._connection, self._parser = connection, parser
        self._observer.observe(Connected(self.server))
        return True

    async def exchange(self, commands: Sequence[bytes], seconds: float) -> list[Answer]:
        """Send packed *commands* in one write and return their answers, in order.

        Raises:
            LinkLostError: not open, closed on the way, or not all answered within *seconds*.

        """
        connection = self._connection
        if connection is None:
            raise LinkLostError("not connected")
        try:
            async with patience(seconds):
                await connection.send_packed_command(commands, check_health=False)
                if self._parser is not None:
                    return cast("list[Answer]", await self._parser.read(len(commands)))
                return await _read(connection, len(commands))
        except TimeoutError as error:
            await self.drop(f"no answer within {seconds:g} s")
            raise LinkLostError(f"no answer within {seconds:g} s") from error
        except (RedisError, OSError) as error:
            await self.drop(str(error))
            raise LinkLostError(str(error)) from error
        except BaseException:
            self._connection = None
            await connection.disconnect(nowait=True)
            raise

    async def drop(self, reason: str) -> None:
        """Close the connection because of *reason*, without waiting for the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            self._observer.observe(ConnectionLost(self.server, reason))

    async def close(self) -> None:
        """Close the connection in good order. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect()


async def _read(connection: _Connection, count: int) -> list[Answer]:
    answers: list[Answer] = []
    for _ in range(count):
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers


def options_of(settings: RedisSettings, purpose: str, parse: Callable[[str], object]) -> dict[str, object]:
    """Return what redis-py's connections are made with.

    Args:
        settings: where Redis is.
        purpose: what the connection is for.
        parse: reads a URL; redis-py has one for connections of the loop and one for those of threads.

    Raises:
        ConfigurationError: the URL cannot work.

    """
    if not settings.first_url.lower().startswith(_SCHEMES):
        # Of some others, redis-py reads nothing, and goes to its default.
        raise ConfigurationError(f"the Redis URL cannot be read: it must begin with {', '.join(_SCHEMES)}")
    try:
        options = cast("dict[str, object]", parse(settings.first_url))
    except ValueError:
        # Neither the URL nor what its parser says of it: both may carry a password.
        raise ConfigurationError(f"the Redis URL cannot be read: {QUOTING}") from None
    return {
        # What CLIENT LIST shows; a URL may say otherwise.
        "client_name": f"broker-actors-{purpose.replace(' ', '-')}",
        **options,
        # The link has its own deadlines, around a whole batch.
        "socket_timeout": None,
        "socket_connect_timeout": settings.attempt_seconds,
        "retry": Retry(NoBackoff(), 0),
        # The scripts' answers are lists, numbers and bytes; version 2 has no push messages to mix in.
        "protocol": 2,
        "decode_responses": False,
        "driver_info": None,
    }


def at(place: Place) -> dict[str, object]:
    """Return what makes a connection go to *place*."""
    return {"host": place[0], "port": place[1]}


def place_of(options: dict[str, object]) -> Place | None:
    """Return the host and port of *options*; None for a socket."""
    if "path" in options:
        return None
    return (str(options.get("host", "localhost")), int(str(options.get("port", PORT))))


def _new(options: dict[str, object]) -> _Connection:
    arguments = dict(options)
    connect = cast("Callable[..., _Connection]", arguments.pop("connection_class", driver.Connection))
    try:
        return connect(**arguments)
    except TypeError:
        # Its name stays out: after a `?` in a password it is a part of the password.
        raise ConfigurationError(f"the Redis URL has an option nobody knows; {QUOTING}") from None


def _place(options: dict[str, object]) -> str:
    if "path" in options:
        return str(options["path"])
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}/{options.get('db', 0)}"
