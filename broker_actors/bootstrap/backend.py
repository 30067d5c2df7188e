"""The adapters a system runs on, opened together and closed together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.broker import MAILBOX_MAX, MemoryBroker
from broker_actors.adapters.memory.groups import MemoryGroups
from broker_actors.adapters.memory.members import MemoryMembers
from broker_actors.adapters.memory.places import MemoryPlaces
from broker_actors.adapters.memory.replies import MemoryChannels, MemoryReplies
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.memory.streams import MemoryStreams
from broker_actors.adapters.memory.transport import MemoryTransport
from broker_actors.adapters.rabbitmq.transport import RabbitOptions, RabbitTransport
from broker_actors.adapters.redis.groups import RedisGroups
from broker_actors.adapters.redis.members import RedisMembers
from broker_actors.adapters.redis.places import RedisPlaces
from broker_actors.adapters.redis.replies import RedisReplies
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.adapters.redis.streams import RedisStreams
from broker_actors.core.errors import ConfigurationError
from broker_actors.ports.clock import Clock
from broker_actors.ports.groups import Groups
from broker_actors.ports.members import Members
from broker_actors.ports.observer import Observer
from broker_actors.ports.places import LimiterPlaces
from broker_actors.ports.replies import Replies
from broker_actors.ports.store import Store
from broker_actors.ports.streams import Streams
from broker_actors.ports.transport import Transport
from broker_actors.settings import Settings

REAL_SCHEMES: Final = frozenset({"amqp", "amqps"})


@dataclass(frozen=True, slots=True)
class Backend:
    """One set of open ports."""

    transport: Transport
    store: Store
    replies: Replies
    members: Members
    clock: Clock
    observer: Observer
    streams: Streams
    groups: Groups
    places: LimiterPlaces

    async def close(self) -> None:
        """Close what was opened, the broker first so that nothing new arrives. Idempotent."""
        # Each also when the one before raised. The last one pushed is the first closed.
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.store.close)
            closing.push_async_callback(self.places.close)
            closing.push_async_callback(self.groups.close)
            closing.push_async_callback(self.streams.close)
            closing.push_async_callback(self.members.close)
            closing.push_async_callback(self.replies.close)
            closing.push_async_callback(self.transport.close)


@dataclass(slots=True)
class Embedded:
    """A broker and a store inside this process, shared by every system opened on it."""

    clock: Clock = field(default_factory=SystemClock)
    mailbox_max: int = MAILBOX_MAX
    broker: MemoryBroker = field(init=False)
    store: MemoryStore = field(init=False)
    channels: MemoryChannels = field(init=False)
    members: MemoryMembers = field(init=False)
    streams: MemoryStreams = field(init=False)
    groups: MemoryGroups = field(default_factory=MemoryGroups, init=False)
    places: MemoryPlaces = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts on one clock."""
        self.broker = MemoryBroker(self.clock, mailbox_max=self.mailbox_max)
        self.channels = MemoryChannels()
        self.store = MemoryStore(self.clock, self.channels)
        self.members = MemoryMembers(self.clock)
        self.places = MemoryPlaces(self.clock)
        self.streams = MemoryStreams(self.store, self.clock)

    def backend(self, observer: Observer) -> Backend:
        """Return ports onto this broker and store."""
        return Backend(
            MemoryTransport(self.broker),
            self.store,
            MemoryReplies(self.channels, observer),
            self.members,
            self.clock,
            observer,
            self.streams,
            self.groups,
            self.places,
        )


async def open_backend(settings: Settings, observer: Observer) -> Backend:
    """Return the ports *settings* name.

    Raises:
        ConfigurationError: the URL's scheme is none of `memory`, `amqp`, `amqps`, or its query is wrong.
        BrokerUnavailableError: the broker cannot be reached.
        StoreUnavailableError: the store cannot be reached.

    """
    scheme = settings.scheme
    if scheme == "memory":
        return Embedded(mailbox_max=_mailbox_max(settings.url)).backend(observer)
    if scheme not in REAL_SCHEMES:
        found = f"BROKER_ACTORS_URL={scheme}://..." if scheme else "the broker's URL names no kind of broker"
        text = f"{found}: use memory://, amqp:// or amqps://"
        raise ConfigurationError(text)
    return await _open_real(settings, observer)


def _mailbox_max(url: str) -> int:
    """Return the bound of mailboxes that a URL like `memory://?mailbox_max=1000` names."""
    given = parse_qs(urlsplit(url).query, keep_blank_values=True)
    (value,) = given.pop("mailbox_max", [str(MAILBOX_MAX)])[-1:]
    if given or not (value.isascii() and value.isdigit() and int(value) > 0):
        text = "BROKER_ACTORS_URL=memory://...: it may end in ?mailbox_max=N, a number from 1 on"
        raise ConfigurationError(text)
    return int(value)


async def _open_real(settings: Settings, observer: Observer) -> Backend:
    options = RabbitOptions(
        connect_timeout_seconds=settings.connect_timeout_seconds,
        publish_timeout_seconds=settings.publish_timeout_seconds,
    )
    store_timeout_seconds = settings.store_timeout_seconds
    async with AsyncExitStack() as opened:
        transport = await RabbitTransport.connect(settings.url, observer, options)
        opened.push_async_callback(transport.close)
        store = await RedisStore.connect(settings.redis_url, observer, timeout_seconds=store_timeout_seconds)
        opened.push_async_callback(store.close)
        replies = await RedisReplies.connect(
            settings.redis_url, observer, timeout_seconds=store_timeout_seconds
        )
        opened.push_async_callback(replies.close)
        members = await RedisMembers.connect(
            settings.redis_url,
            observer,
            timeout_seconds=store_timeout_seconds,
            max_loop_block_seconds=settings.max_loop_block_seconds,
        )
        opened.pop_all()
    redis = RedisSettings(settings.redis_url, store_timeout_seconds)
    # These connect when they are used.
    return Backend(
        *(transport, store, replies, members, SystemClock(), observer),
        streams=RedisStreams(redis, observer),
        groups=RedisGroups(redis, observer),
        places=RedisPlaces(redis, observer),
    )
