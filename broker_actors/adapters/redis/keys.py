"""The names of everything in Redis.

Invariants: two things never share a name, whatever characters ids and keys contain; and
everything of one actor has its bucket's hash tag, so that one script may touch it.

    ba:{Counter:17}:a:c1          hash     of Counter/c1: epoch, nonce, version, commit, state, forgotten,
                                           parked (bytes), suspended, incarnation, run (of the server, at
                                           the newest claim), runs (the first claim under each of the last
                                           two: `epoch:how far above the one before:version`)
    ba:{Counter:17}:o:c1          hash     outbox: `version:epoch, place in four digits` -> item
    ba:{Counter:17}:k:2:c1:<key>  hash     keyed record: digest, type, reply (2: bytes of the id; expires)
    ba:{Counter:17}:n:c1          hash     sender -> the numbers accepted of it
    ba:{Counter:17}:i:c1          hash     interleaved turn -> its last durable section (expires)
    ba:{Counter:17}:t:c1          hash     target -> the last number given to an item for it
    ba:{Counter:17}:r:2:c1:<sender> hash   number -> reply, of asks its sender still awaits (expires)
    ba:{Counter:17}:c:2:c1:<what> string   charges of a suspect, by what tells it from others (expires)
    ba:{Counter:17}:s:2:c1:<key>  hash     chunk stream of a call: who reads, who writes, how far (expires)
    ba:{Counter:17}:sc:2:c1:<key> list     its chunks
    ba:{Counter:17}:sd:2:c1:<key> list     their digests
    ba:{Counter:17}:ids           zset     ids of all actors of the bucket, from their first claim on
    ba:{Counter:17}:p:c1          list     what Counter/c1 has parked, in order
    ba:{Counter:17}:parked        zset     ids of actors that have parked something, by when its head is due
    ba:{Counter:17}:parkedbytes   string   bytes parked in the bucket
    ba:{Counter:17}:suspended     zset     ids of suspended actors, by since when
    ba:{Counter:17}:scheduled     zset     delayed tells of the bucket, `2:c1:<key>`, by when they are due
    ba:{Counter:17}:methods       hash     what they call
    ba:{Counter:17}:m:c1          hash     reminders of Counter/c1 by name
    ba:{Counter:17}:reminders     zset     reminders of the bucket, `2:c1:<name>`, by when they are due
    ba:{Counter:17}:dirty         zset     ids of actors with a non-empty outbox, by when it became so
    ba:layout:Counter             hash     generation, partitions
    ba:types                      set      types that have a layout, or are about to: SCAN reads all keys
    ba:spawned:Counter            zset     ids that have a dedicated mailbox
    ba:group:7:Counter:<name>     zset     ids of the actors in a group (7: bytes of the type)
    ba:limiter:<name>             hash     who has a place of a limiter, who waits for one (expires)
    ba:reply:<name>               stream   a client's reply channel (expires unless renewed)
    ba:{members}:leases           zset     names of the workers that live, by when their leases end
    ba:{members}:records          hash     name -> what the worker says of itself
    ba:{members}:digests          hash     name -> digest of its record
    ba:{members}:reports          hash     name -> how the worker is doing
    ba:{members}:revision         string   differs whenever the records do
    ba:{members}:left             zset     names of workers that left, by when that may be forgotten
    ba:{members}:held             hash     mailbox -> who is served from it
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from broker_actors.core.address import Address, bucket_number, bucket_of, buckets_of
from broker_actors.core.call_id import CallId
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.group import GroupName

#: Actors of which names are remembered.
_ACTORS_KEPT: Final = 512
#: Longer identities are hashed, to twice the 64 bytes of a digest.
_IDENTITY_BYTES_MAX: Final = 100


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

    def committed(self, address: Address) -> list[str]:
        """Return the keys that every commit of the actor touches: actor, outbox, dirty index, senders."""
        return [*_committed(self.prefix, address.type, address.id)]

    def outbox(self, address: Address) -> str:
        """Return the key of the actor's outbox."""
        return f"{self.prefix}:{bucket_of(address)}:o:{address.id}"

    def senders(self, address: Address) -> str:
        """Return the key of what the actor has accepted, by sender."""
        return f"{self.prefix}:{bucket_of(address)}:n:{address.id}"

    def sections(self, address: Address) -> str:
        """Return the key of how far the actor's interleaved turns are."""
        return f"{self.prefix}:{bucket_of(address)}:i:{address.id}"

    def targets(self, address: Address) -> str:
        """Return the key of the actor's numbers, by target."""
        return f"{self.prefix}:{bucket_of(address)}:t:{address.id}"

    def answers(self, address: Address, sender: str) -> str:
        """Return the key of the replies to the numbered asks of *sender*."""
        return _answers(self.prefix, address.type, address.id) + sender

    def record(self, address: Address, key: str) -> str:
        """Return the key of a keyed record. The id's length tells where the id ends."""
        return f"{self.prefix}:{bucket_of(address)}:k:{len(address.id.encode())}:{address.id}:{key}"

    def charges(self, address: Address, identity: str) -> str:
        """Return the key of a suspect's charges. A digest is longer than any identity that is not hashed."""
        name = identity if len(identity.encode()) <= _IDENTITY_BYTES_MAX else _digest(identity)
        return f"{self.prefix}:{bucket_of(address)}:c:{len(address.id.encode())}:{address.id}:{name}"

    def stream(self, call: CallId) -> tuple[str, str, str]:
        """Return the keys of a call's chunk stream: how it stands, its chunks, their digests."""
        bucket, actor_id = bucket_of(call.address), call.address.id
        rest = f"{len(actor_id.encode())}:{actor_id}:{call.key}"
        return (
            f"{self.prefix}:{bucket}:s:{rest}",
            f"{self.prefix}:{bucket}:sc:{rest}",
            f"{self.prefix}:{bucket}:sd:{rest}",
        )

    def ids(self, address: Address) -> str:
        """Return the key of the index of all ids in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:ids"

    def ids_from(self, actor_type: str, actor_id: str) -> list[str]:
        """Return the keys of the indexes of ids from *actor_id*'s bucket on; of all buckets for no id."""
        buckets = buckets_of(actor_type)
        begin = bucket_number(actor_id) if actor_id else 0
        return [f"{self.prefix}:{bucket}:ids" for bucket in buckets[begin:]]

    def suspended(self, address: Address) -> str:
        """Return the key of the index of suspended actors in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:suspended"

    def all_suspended(self, actor_type: str) -> list[str]:
        """Return the keys of the indexes of suspended actors of all buckets of *actor_type*."""
        return [f"{self.prefix}:{bucket}:suspended" for bucket in buckets_of(actor_type)]

    def scheduled(self, address: Address) -> tuple[str, str]:
        """Return the keys of the delayed tells in the actor's bucket: when they are due, what they call."""
        bucket = bucket_of(address)
        return f"{self.prefix}:{bucket}:scheduled", f"{self.prefix}:{bucket}:methods"

    def all_scheduled(self, actor_type: str) -> list[tuple[str, str]]:
        """Return the keys of the delayed tells in all buckets of *actor_type*."""
        names = ("scheduled", "methods")
        return [
            (f"{self.prefix}:{bucket}:{names[0]}", f"{self.prefix}:{bucket}:{names[1]}")
            for bucket in buckets_of(actor_type)
        ]

    def reminders(self, address: Address) -> str:
        """Return the key of the actor's reminders."""
        return f"{self.prefix}:{bucket_of(address)}:m:{address.id}"

    def reminded(self, address: Address) -> str:
        """Return the key of the index of reminders in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:reminders"

    def all_reminded(self, actor_type: str) -> list[str]:
        """Return the keys of the indexes of reminders of all buckets of *actor_type*."""
        return [f"{self.prefix}:{bucket}:reminders" for bucket in buckets_of(actor_type)]

    def dirty(self, address: Address) -> str:
        """Return the key of the index of non-empty outboxes in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:dirty"

    def all_dirty(self, actor_type: str) -> list[str]:
        """Return the keys of the indexes of all buckets of *actor_type*."""
        return [f"{self.prefix}:{bucket}:dirty" for bucket in buckets_of(actor_type)]

    def parking(self, address: Address) -> str:
        """Return the key of what the actor has parked."""
        return f"{self.prefix}:{bucket_of(address)}:p:{address.id}"

    def parked(self, address: Address) -> str:
        """Return the key of the index of non-empty parkings in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:parked"

    def all_parked(self, actor_type: str) -> list[str]:
        """Return the keys of the indexes of all buckets of *actor_type*."""
        return [f"{self.prefix}:{bucket}:parked" for bucket in buckets_of(actor_type)]

    def parked_bytes(self, address: Address) -> str:
        """Return the key of how many bytes are parked in the actor's bucket."""
        return f"{self.prefix}:{bucket_of(address)}:parkedbytes"

    def all_parked_bytes(self, actor_type: str) -> list[str]:
        """Return the keys of how many bytes are parked in each bucket of *actor_type*."""
        return [f"{self.prefix}:{bucket}:parkedbytes" for bucket in buckets_of(actor_type)]

    def layout(self, actor_type: str) -> str:
        """Return the key of the recorded layout of *actor_type*."""
        return f"{self.prefix}:layout:{actor_type}"

    def types(self) -> str:
        """Return the key of the index of all types."""
        return f"{self.prefix}:types"

    def spawned(self, actor_type: str) -> str:
        """Return the key of the ids of *actor_type* that have a dedicated mailbox."""
        return f"{self.prefix}:spawned:{actor_type}"

    def reply(self, name: str) -> str:
        """Return the key of the reply channel *name*."""
        return f"{self.prefix}:reply:{name}"

    def group(self, group: GroupName) -> str:
        """Return the key of the members of *group*. The type's length tells where the type ends."""
        return f"{self.prefix}:group:{len(group.type.encode())}:{group.type}:{group.name}"

    def limiter(self, name: str) -> str:
        """Return the key of the limiter *name*."""
        return f"{self.prefix}:limiter:{name}"

    def members(self, what: str) -> str:
        """Return the key of one thing about the workers; all have one hash tag, which no actor has."""
        return f"{self.prefix}:{{members}}:{what}"


# An actor that commits once commits again, and its names are the same.
@lru_cache(_ACTORS_KEPT)
def _committed(prefix: str, actor_type: str, actor_id: str) -> tuple[str, ...]:
    begin = f"{prefix}:{bucket_of(Address(actor_type, actor_id))}:"
    return (f"{begin}a:{actor_id}", f"{begin}o:{actor_id}", f"{begin}dirty", f"{begin}n:{actor_id}")


@lru_cache(_ACTORS_KEPT)
def _answers(prefix: str, actor_type: str, actor_id: str) -> str:
    return f"{prefix}:{bucket_of(Address(actor_type, actor_id))}:r:{len(actor_id.encode())}:{actor_id}:"


def _digest(identity: str) -> str:
    return blake2b(identity.encode()).hexdigest()
