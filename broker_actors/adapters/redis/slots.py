"""Which node of a cluster has which key, as far as is known.

Empty as long as no server has said that it is one of several. Nothing here is relied on: a
node that does not have a key says who does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from redis import crc
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    MovedError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.connection import Answer
from broker_actors.adapters.redis.settings import Place

#: After any of these the command is to be sent again, perhaps to another node.
_AGAIN: Final = (AskError, ClusterDownError, TryAgainError, RedisConnectionError)

#: redis-py does not say what it takes.
_slot_of: Final = cast("Callable[[bytes], int]", crc.key_slot)


class Slots:
    """Places by slot."""

    def __init__(self) -> None:
        #: Who has each of those that are known.
        self._places: dict[int, Place] = {}

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self._places)

    @property
    def places(self) -> Sequence[Place]:
        """Every node that has a slot."""
        return tuple(dict.fromkeys(self._places.values()))

    def of(self, key: str) -> Place | None:
        """Return who has *key*; None if that is not known."""
        return self._places.get(_slot_of(key.encode())) if self._places else None

    def moved(self, error: MovedError, asked: Place | None) -> None:
        """Take note of what the node at *asked* has said."""
        self._places[error.slot_id] = place_in(error, asked)

    def replace(self, answer: Answer, asked: Place | None) -> None:
        """Take over what the node at *asked* says of all; raises StoreUnavailableError if it does not."""
        known: dict[int, Place] = {}
        for entry in to_list(answer):
            first, last, primary, *_ = to_list(entry)
            host, port, *_ = to_list(primary)
            name = b"" if host is None else to_bytes(host)
            place = (name.decode() or _host(asked), to_int(port))
            known.update(dict.fromkeys(range(to_int(first), to_int(last) + 1), place))
        self._places = known


def is_elsewhere(answer: Answer) -> bool:
    """Whether a command was refused for keys that are in several slots: the server is one of a cluster."""
    return isinstance(answer, ClusterCrossSlotError)


def is_again(answer: Answer) -> bool:
    """Return whether the command has not been run, as far as is known, and may be elsewhere or later."""
    return isinstance(answer, RedisError) and isinstance(answer, _AGAIN)


def place_in(error: AskError, asked: Place | None) -> Place:
    """Return where *error* points to; a node that knows no name of another means its own host."""
    # `slot host:port`, of which redis-py makes attributes without types.
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    return (host or _host(asked), int(port))


def _host(asked: Place | None) -> str:
    return asked[0] if asked is not None else "localhost"
