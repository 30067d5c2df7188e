"""Every exchange, queue and binding of the platform, as data.

Decisions about names and arguments live here; adapters only declare what they are given.
Invariants: a queue name is never reused for another purpose; the arguments below never
change for a name, what may change goes in broker policies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core import delay
from broker_actors.core.address import Address, check_type, is_type, partition_of
from broker_actors.core.errors import ConfigurationError

ACTORS: Final = "actors"
IN: Final = "actors.in"
UNROUTABLE: Final = "actors.unroutable"
DUE: Final = "actors.due"
DEAD: Final = "actors.dead"
PROBE: Final = "actors.probe"
PROBE_EXPIRES_MS: Final = 60_000
#: Routing key of what the broker itself gives up, and of letters of no known type; not a possible type.
BROKER_KEY: Final = "by-broker"

#: Explicit and out of reach: it keeps requeue order on quorum queues (without a limit RabbitMQ
#: <= 3.13 requeues to the back; the 4.x default of 20 dead-letters a whole prefetch window after a
#: few orderly channel closes). It is never the poison mechanism; the crash budget is.
DELIVERY_LIMIT: Final = 1_000_000
PARTITIONS_MAX: Final = 1024
#: Instead of a number of partitions: each id has a mailbox of its own.
DEDICATED: Final = 0
#: Eight digits: what the name of a dedicated mailbox leaves beside the longest type and id.
GENERATION_MAX: Final = 99_999_999

#: Of actors that were sent something lately.
_ROUTES_KEPT: Final = 10_000

Argument: TypeAlias = str | int | bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange to declare; always durable."""

    name: str
    kind: str = "direct"
    alternate: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue to declare; always durable."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding to declare from an exchange to a queue or another exchange."""

    source: str
    target: str
    key: str
    to_exchange: bool = False


Declaration: TypeAlias = Exchange | Queue | Binding


@dataclass(frozen=True, slots=True)
class Route:
    """Where to publish: an exchange and a routing key."""

    exchange: str
    key: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How one actor type is spread over mailboxes, as recorded in the store.

    Attributes:
        type: the actor type.
        generation: which layout of the type this is, from 1.
        partitions: shared mailboxes, 1 to 1,024; 0 means one dedicated mailbox per id.

    """

    type: str
    generation: int = 1
    partitions: int = 8

    def __post_init__(self) -> None:
        """Refuse a layout no broker should be asked to hold.

        Raises:
            ConfigurationError: the type's name, the generation or the partition count is out of bounds.

        """
        check_type(self.type)
        if not 1 <= self.generation <= GENERATION_MAX:
            text = f"actor type {self.type}: generation={self.generation} must be 1 to {GENERATION_MAX}"
            raise ConfigurationError(text)
        if not 0 <= self.partitions <= PARTITIONS_MAX:
            text = f"actor type {self.type}: partitions={self.partitions} must be 1 to {PARTITIONS_MAX}"
            raise ConfigurationError(text)

    @property
    def dedicated(self) -> bool:
        """Whether each id has a mailbox of its own."""
        return self.partitions == DEDICATED

    def mailboxes(self) -> list[str]:
        """Return the names of the shared mailboxes; none for a dedicated type."""
        return [f"{ACTORS}.{self.type}.g{self.generation}.{n}" for n in range(self.partitions)]

    def mailbox_of(self, actor_id: str) -> str:
        """Return the name of the mailbox that holds *actor_id*'s envelopes."""
        return f"{ACTORS}.{self.key_of(actor_id)}"

    def key_of(self, actor_id: str) -> str:
        """Return the routing key of *actor_id*: `Counter.g1.3`, or `Counter.g1.id.c1`."""
        return _route(self.type, self.generation, self.partitions, actor_id).key

    def route_to(self, address: Address) -> Route:
        """Return where an envelope for *address* is published."""
        return _route(self.type, self.generation, self.partitions, address.id)


@lru_cache(_ROUTES_KEPT)
def _route(actor_type: str, generation: int, partitions: int, actor_id: str) -> Route:
    # Most envelopes are for actors that had one a moment ago.
    last = f"id.{actor_id}" if partitions == DEDICATED else partition_of(actor_id, partitions)
    return Route(ACTORS, f"{actor_type}.g{generation}.{last}")


def dead_queue(actor_type: str) -> str:
    """Return the name of the queue that holds the dead letters of *actor_type*."""
    return f"{DEAD}.{actor_type}"


def dead_route(actor_type: str) -> Route:
    """Return where dead letters of *actor_type* are published: beside the broker's own if that is no type."""
    return Route(DEAD, actor_type if is_type(actor_type) else BROKER_KEY)


def delay_route(delay_seconds: int) -> Route:
    """Return where a message that waits *delay_seconds* is published."""
    level, key = delay.entry(delay_seconds)
    return Route(_level(level), key)


def waiting_route(due_ms: int, now_ms: int) -> Route:
    """Return where a message waits next for *due_ms*: in a level, or with the relay for under a second."""
    seconds = delay.stretch_seconds(due_ms, now_ms)
    return delay_route(seconds) if seconds else Route(DUE, delay.DUE)


def probe_queue(worker: str) -> str:
    """Return the name of the queue through which *worker* sends its probes to itself."""
    return f"{PROBE}.{worker}"


def probe_route(worker: str) -> Route:
    """Return where *worker* publishes its probes."""
    return Route(ACTORS, f"probe.{worker}")


def probe(worker: str) -> Iterator[Declaration]:
    """Yield the queue of the probes of *worker*, which goes when nobody consumes it for a minute."""
    arguments: dict[str, Argument] = {
        "x-queue-type": "classic",
        "x-expires": PROBE_EXPIRES_MS,
        "x-max-length": 10,
    }
    yield Exchange(ACTORS)
    yield Queue(probe_queue(worker), MappingProxyType(arguments))
    yield Binding(ACTORS, probe_queue(worker), f"probe.{worker}")


def common() -> Iterator[Declaration]:
    """Yield what every deployment has: the exchanges, the delay levels and what catches strays."""
    # No alternate exchange: a mandatory publish to an exchange that has one is confirmed and never returned.
    yield Exchange(ACTORS)
    yield Exchange(DEAD)
    yield Exchange(UNROUTABLE, kind="fanout")
    yield Exchange(IN, alternate=UNROUTABLE)
    yield Queue(UNROUTABLE, _quorum(_GIVEN_UP))
    yield Binding(UNROUTABLE, UNROUTABLE, "")
    yield Queue(DEAD, _quorum())
    yield Binding(DEAD, DEAD, BROKER_KEY)
    yield Exchange(DUE, kind="topic")
    yield Queue(DUE, _quorum(_GIVEN_UP))
    yield Binding(DUE, DUE, "#")
    yield from _delay_levels()


def of(layout: Layout) -> Iterator[Declaration]:
    """Yield what *layout* needs beyond `common`: its shared mailboxes and its dead letters."""
    yield Queue(dead_queue(layout.type), _quorum())
    yield Binding(DEAD, dead_queue(layout.type), layout.type)
    for mailbox in layout.mailboxes():
        yield from _mailbox(mailbox)


def dedicated(layout: Layout, actor_id: str) -> Iterator[Declaration]:
    """Yield the dedicated mailbox of *actor_id*."""
    yield from _mailbox(layout.mailbox_of(actor_id))


def _mailbox(name: str) -> Iterator[Declaration]:
    yield Queue(name, _quorum({"x-single-active-consumer": True, **_GIVEN_UP}))
    key = name.removeprefix(f"{ACTORS}.")
    yield Binding(ACTORS, name, key)
    yield Binding(IN, name, key)


def _delay_levels() -> Iterator[Declaration]:
    for level in range(delay.LEVELS):
        below = _level(level - 1) if level else DUE
        yield Exchange(_level(level), kind="topic")
        arguments = {
            "x-message-ttl": 1000 * 2**level,
            "x-dead-letter-exchange": below,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        yield Queue(_level(level), _quorum(arguments))
        yield Binding(_level(level), _level(level), delay.waits_here(level))
        yield Binding(_level(level), below, delay.passes_by(level), to_exchange=True)


#: What the broker gives up must stay readable.
_GIVEN_UP: Final[Mapping[str, Argument]] = MappingProxyType(
    {
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": BROKER_KEY,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
)


def _level(level: int) -> str:
    return f"{ACTORS}.delay.{level:02}"


def _quorum(more: Mapping[str, Argument] = MappingProxyType({})) -> Mapping[str, Argument]:
    return MappingProxyType({"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT, **more})
