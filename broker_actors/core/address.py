"""Where an actor lives: its address, and the partition its address hashes to.

Invariant: the partition of an id depends on nothing but the id and the partition count,
so that every language and every version computes the same one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from broker_actors.core.checks import is_text
from broker_actors.core.errors import ConfigurationError

#: Longest actor id in UTF-8 bytes: what the name of a dedicated mailbox, an AMQP short string
#: of at most 255 bytes, leaves beside the longest type and generation.
ACTOR_ID_BYTES_MAX: Final = 170
ACTOR_TYPE_CHARACTERS_MAX: Final = 64
#: Hash tags per actor type in the store, so that one script can commit an actor on a cluster.
BUCKETS: Final = 256

#: A rule that is the same in every language and Unicode version, unlike "printable".
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TYPE: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{ACTOR_TYPE_CHARACTERS_MAX - 1}}}")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An actor's type and id: `Counter/c1`."""

    type: str
    id: str

    def __hash__(self) -> int:
        """Return that of the id: it is asked for all the time, and few types have actors of equal ids."""
        return hash(self.id)

    def __str__(self) -> str:
        """Return `Counter/c1`."""
        return f"{self.type}/{self.id}"


def is_type(name: str) -> bool:
    """Return whether *name* can be an actor type."""
    return _TYPE.fullmatch(name) is not None


def check_type(name: str) -> str:
    """Return *name* if it can be an actor type.

    Raises:
        ConfigurationError: it is not an identifier of at most 64 ASCII characters.

    """
    if not is_type(name):
        text = f"actor type {name!r} is no ASCII identifier of at most {ACTOR_TYPE_CHARACTERS_MAX} characters"
        raise ConfigurationError(text)
    return name


def check_id(actor_id: str, what: str = "actor id") -> str:
    """Return *actor_id* if it can be an actor id; *what* names it in errors.

    Raises:
        ConfigurationError: it is empty, longer than 170 UTF-8 bytes, has a control
            character or line separator, or cannot be written as UTF-8.

    """
    if not is_text(actor_id):
        raise ConfigurationError(f"{what} {actor_id!r} must be a text: use {str(actor_id)!r}")
    try:
        size_bytes = len(actor_id.encode())
    except UnicodeEncodeError as error:
        text = f"{what} {actor_id!r} cannot be written as UTF-8"
        raise ConfigurationError(text) from error
    if not 0 < size_bytes <= ACTOR_ID_BYTES_MAX or _UNPRINTABLE.search(actor_id):
        text = f"{what} {actor_id!r} must be 1 to {ACTOR_ID_BYTES_MAX} UTF-8 bytes without control characters"
        raise ConfigurationError(text)
    return actor_id


def partition_of(actor_id: str, partitions: int) -> int:
    """Return the partition of *actor_id*: CRC-32 (IEEE 802.3) of its UTF-8 bytes modulo *partitions*."""
    return crc32(actor_id.encode()) % partitions


def bucket_of(address: Address) -> str:
    """Return the hash tag under which everything of *address* lives in the store: `{Counter:17}`."""
    return _bucket(address.type, bucket_number(address.id))


def bucket_number(actor_id: str) -> int:
    """Return which bucket of its type *actor_id* is in, from 0."""
    return crc32(actor_id.encode()) % BUCKETS


def buckets_of(actor_type: str) -> list[str]:
    """Return all hash tags of *actor_type*."""
    return [_bucket(actor_type, n) for n in range(BUCKETS)]


def _bucket(actor_type: str, n: int) -> str:
    return f"{{{actor_type}:{n}}}"
