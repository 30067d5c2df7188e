"""The names of everything in Redis.

Invariants: two things never share a name, whatever characters ids and keys contain; and
everything of one actor has its bucket's hash tag, so that one script may touch it.

    ba:{Counter:17}:a:c1          hash     epoch, nonce, version, commit, state of Counter/c1
    ba:{Counter:17}:o:c1          hash     outbox: `version:index` -> item
    ba:{Counter:17}:k:2:c1:<key>  hash     keyed record: digest, type, reply (2: bytes of the id; expires)
    ba:{Counter:17}:dirty         zset     ids of actors with a non-empty outbox, by when it became so
    ba:layout:Counter             hash     generation, partitions
    ba:spawned:Counter            zset     ids that have a dedicated mailbox
    ba:reply:<name>               stream   a client's reply channel (expires unless renewed)
"""

from __future__ import annotations

from dataclasses import dataclass

from broker_actors.core.address import Address, bucket_of, buckets_of
from broker_actors.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix."""

    prefix: str

    def __post_init__(self) -> None:
        """Refuse a prefix that would move the hash tag.

        Raises:
            ConfigurationError: the prefix has a brace.

        """
        if "{" in self.prefix or "}" in self.prefix:
            raise ConfigurationError(f"Redis key prefix {self.prefix!r} must not contain braces")

    def actor(self, address: Address) -> str:
        """Return the key of the actor's claim, version and state."""
        return f"{self.prefix}:{bucket_of(address)}:a:{address.id}"

    def outbox(self, address: Address) -> str:
        """Return the key of the actor's outbox."""
        return f"{self.prefix}:{bucket_of(address)}:o:{address.id}"

    def record(self, address: Address, key: str) -> str:
        """Return the key of a keyed record. The id's length tells where the id ends."""
        return f"{self.prefix}:{bucket_of(address)}:k:{len(address.id.encode())}:{address.id}:{key}"

    def dirty(self, address: Address) -> str:
        """Return the key of the index of non-empty outboxes in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:dirty"

    def all_dirty(self, actor_type: str) -> list[str]:
        """Return the keys of the indexes of all buckets of *actor_type*."""
        return [f"{self.prefix}:{bucket}:dirty" for bucket in buckets_of(actor_type)]

    def layout(self, actor_type: str) -> str:
        """Return the key of the recorded layout of *actor_type*."""
        return f"{self.prefix}:layout:{actor_type}"

    def spawned(self, actor_type: str) -> str:
        """Return the key of the ids of *actor_type* that have a dedicated mailbox."""
        return f"{self.prefix}:spawned:{actor_type}"

    def reply(self, name: str) -> str:
        """Return the key of the reply channel *name*."""
        return f"{self.prefix}:reply:{name}"
