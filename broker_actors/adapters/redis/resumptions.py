"""How the newest runs of Redis found an actor, as its hash holds it."""

from __future__ import annotations

from broker_actors.adapters.redis.answers import to_optional
from broker_actors.adapters.redis.connection import Answer
from broker_actors.core.past import Resumption


def read_resumptions(answer: Answer) -> tuple[Resumption, ...]:
    """Return what `claim.lua` has written; nothing for an actor that it has not claimed yet."""
    return tuple(_resumption(*map(int, one.split(b":"))) for one in (to_optional(answer) or b"").split())


def _resumption(epoch: int, gap: int, version: int) -> Resumption:
    return Resumption(epoch, epoch - gap, version)
