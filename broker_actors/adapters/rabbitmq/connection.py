"""One AMQP connection, opened again whenever it is lost.

Invariant: while it is open, its keeper is the only task that connects; everybody else
waits for what the keeper brings, each within a deadline of its own.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import aiormq
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential
from yarl import URL

from broker_actors.adapters.rabbitmq.admission import Amqp, refusal_of
from broker_actors.adapters.rabbitmq.channels import LostError, closing_of, describe, ended, lost_when_gone
from broker_actors.adapters.rabbitmq.direct.passages import Passages
from broker_actors.adapters.rabbitmq.guard import is_undecodable
from broker_actors.adapters.rabbitmq.options import (
    CLOSE_SECONDS,
    CONNECT_ATTEMPT_SECONDS,
    CONSUMING_FRAME_BUFFER,
    FRAME_BUFFER,
    LASTING_SECONDS,
    RECONNECT_BACKOFF_SECONDS_MAX,
)
from broker_actors.adapters.rabbitmq.sockets import Sockets
from broker_actors.core.errors import QUOTING, BrokerUnavailableError, ConfigurationError
from broker_actors.core.events import Connected, ConnectionLost, Trouble
from broker_actors.ports.observer import Observer

_SCHEMES: Final = frozenset({"amqp", "amqps"})
_AUTHORITY_END: Final = re.compile("[/?#]")
_BACKOFF: Final = wait_random_exponential(multiplier=0.1, max=RECONNECT_BACKOFF_SECONDS_MAX)


class _Amqp(Amqp):
    FRAME_BUFFER_SIZE = FRAME_BUFFER
    #: What of it may go past the library.
    passages: Passages | None = None


def passages_of(channel: aiormq.Channel) -> Passages | None:
    """Return what of the connection of *channel* may go past the library; None if nothing may."""
    connection = channel.connection
    return connection.passages if isinstance(connection, _Amqp) else None


class Connection:
    """Owns one AMQP connection.

    Args:
        url: `amqp://` or `amqps://`, with the TLS settings the client library reads from a URL.
        name: shown in the broker's UI.
        heartbeat_seconds: used when the URL sets none.
        observer: told about every loss and every success.

    Raises:
        ConfigurationError: the URL is not one of AMQP.

    """

    def __init__(self, url: str, name: str, heartbeat_seconds: int, observer: Observer) -> None:
        self._url = parse_url(url, heartbeat_seconds)
        self.server = str(self._url.with_user(None).with_query(None))
        self._name = name
        self._observer = observer
        self._amqp: _Amqp | None = None
        self._guarded = False
        self._changed = asyncio.Event()
        self._why = "not connected yet"
        self._refusal = ""
        self._started = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def why_down(self) -> str:
        """Why there is no connection right now; empty when there is one."""
        return "" if self._amqp is not None else self._why

    def start(self) -> None:
        """Begin to connect, and stay connected until `close`. Does nothing the second time."""
        if self._started:
            return
        self._started = True
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name=f"keep {self._name}")
        self._keeper.add_done_callback(self._keeper_ended)

    async def opened(self) -> aiormq.Connection:
        """Return the connection when there is one. The caller sets the deadline.

        Raises:
            BrokerUnavailableError: this side has closed it.

        """
        while self._amqp is None or self._amqp.is_closed:
            if self._keeper is None:
                raise BrokerUnavailableError(f"{self.server}: {self._why}")
            self._changed.clear()
            await self._changed.wait()
        return self._amqp

    async def admitted(self) -> None:
        """Return when there is a connection. The caller sets the deadline.

        For the first one: later a refusal may be a broker whose users are being set up again.

        Raises:
            ConfigurationError: the broker refuses the login, or the virtual host.

        """
        while self._amqp is None:
            if self._refusal:
                raise ConfigurationError(self._refusal)
            self._changed.clear()
            await self._changed.wait()

    async def channel(self, *, confirms: bool) -> aiormq.Channel:
        """Return a new channel as soon as there is a connection. The caller sets the deadline.

        Raises:
            BrokerUnavailableError: this side has closed the connection.

        """
        while True:
            amqp = await self.opened()
            try:
                with lost_when_gone():
                    channel = await amqp.channel(
                        publisher_confirms=confirms,
                        on_return_raises=True,
                        frame_buffer_size=FRAME_BUFFER if confirms else CONSUMING_FRAME_BUFFER,
                    )
                assert isinstance(channel, aiormq.Channel), type(channel)
                return channel  # noqa: TRY300 - the else clause would hide that this is the usual way out
            except LostError:
                # Those who wait for an answer hear of a loss a few loop passes before the keeper does.
                await asyncio.wait((closing_of(amqp),), timeout=CONNECT_ATTEMPT_SECONDS)

    async def blocked(self) -> bool:
        """Return whether the broker reads nothing from this connection: it is short of memory or disk."""
        if self._amqp is None:
            return False
        try:
            # Not a wait: `ready` returns without suspending unless the connection is blocked.
            async with asyncio.timeout(0):
                await self._amqp.ready()
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        """Close the connection and stop. Idempotent."""
        self._started = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait((keeper,))
        amqp, self._amqp = self._amqp, None
        self._why = "closed by this side"
        self._changed.set()
        if amqp is not None:
            await _close(amqp)

    async def _keep(self) -> None:
        while True:
            retrying = AsyncRetrying(
                retry=retry_if_exception_type(Exception), wait=_BACKOFF, after=self._note, reraise=True
            )
            await retrying(self._live)

    async def _live(self) -> None:
        """Connect and stay connected; raise when that did not last, so that the next attempt waits."""
        loop = asyncio.get_running_loop()
        amqp = self._amqp = await self._connect()
        connected_seconds = loop.time()
        self._changed.set()
        self._observer.observe(Connected(self.server))
        reason = await ended(amqp)
        self._amqp = None
        self._why = describe(reason)
        self._guarded = is_undecodable(reason)
        self._observer.observe(ConnectionLost(self.server, self._why))
        if loop.time() - connected_seconds < LASTING_SECONDS:
            raise LostError(self._why)

    async def _connect(self) -> _Amqp:
        sockets = Sockets(guarded=self._guarded)
        amqp = _Amqp(self._url, transport_factory=sockets, client_properties={"connection_name": self._name})
        amqp.passages = sockets.passages
        try:
            async with asyncio.timeout(CONNECT_ATTEMPT_SECONDS):
                await amqp.connect()  # pyright: ignore[reportUnknownMemberType]
        except BaseException:
            # It may have succeeded in the moment it was cancelled.
            await _close(amqp)
            raise
        return amqp

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        self._why = f"attempt {state.attempt_number}: {describe(error)}"
        self._refusal = refusal_of(self._url, error)
        self._changed.set()

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled() or keeper is not self._keeper:
            return
        # A fault of this module. Nobody may wait for a keeper that is gone.
        self._keeper = None
        self._why = f"the keeper of the connection failed: {keeper.exception()!r}"
        self._observer.observe(Trouble(f"connection to {self.server}", self._why))
        self._changed.set()


def parse_url(url: str, heartbeat_seconds: int) -> URL:
    """Return the URL of a broker, with a heartbeat if it names none.

    Raises:
        ConfigurationError: the URL is not one of AMQP.

    """
    try:
        parsed = URL(url)
    except ValueError:
        raise ConfigurationError(f"the broker's URL cannot be read: {QUOTING}") from None
    # Then a password is taken for a path, which is shown. A virtual host with that sign has it as %40.
    _authority, *rest = _AUTHORITY_END.split(url.partition("//")[2], maxsplit=1)
    if "@" in "".join(rest):
        raise ConfigurationError(
            f"the broker's URL has an @ after its host: {QUOTING}, and any other @ as well"
        )
    if parsed.scheme not in _SCHEMES or not parsed.host:
        raise ConfigurationError("the broker's URL must look like amqp://user:password@host:5672/vhost")
    return parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=heartbeat_seconds)


async def _close(amqp: aiormq.Connection) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            with lost_when_gone():
                await amqp.close(LostError("closed by this side"))
    except (LostError, TimeoutError):
        # Gone or deaf: the broker notices by the heartbeat.
        return
