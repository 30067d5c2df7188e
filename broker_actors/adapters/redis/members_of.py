"""What of an actor lies in an index of its bucket: the actor's id and a name, as one member.

Invariant: two different pairs are two different members, whatever characters are in them.
"""

from __future__ import annotations


def member_of(actor_id: str, name: str) -> str:
    """Return the member for *name* of the actor *actor_id*."""
    # The id's length tells where the id ends.
    return f"{len(actor_id.encode())}:{actor_id}:{name}"


def split(member: bytes) -> tuple[str, str]:
    """Return the actor's id and the name in *member*."""
    size, _, rest = member.partition(b":")
    end = int(size)
    return rest[:end].decode(), rest[end + 1 :].decode()
