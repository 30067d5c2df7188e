"""Load that would notice whatever a moving mailbox loses, doubles, reorders or holds up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from broker_actors import ActorSystem, Ref, actor, method

ACTORS: Final = 16
#: From one call to an actor to the next: enough to have something in every window.
PAUSE_SECONDS: Final = 0.01


@actor(partitions=8)
class Sequence:
    """Expects the numbers from 0 on, each once and in order, and remembers what it got instead."""

    last: int = -1
    wrong: list[str]

    def __init__(self) -> None:
        self.wrong = []

    @method
    def take(self, number: int) -> int:
        if number != self.last + 1:
            self.wrong.append(f"{number} after {self.last}")
        self.last = number
        return number

    @method
    def read(self) -> dict[str, object]:
        return {"last": self.last, "wrong": self.wrong}


class SequenceRef(Sequence, Ref):
    """Typed handle."""


@dataclass
class Load:
    """What was sent, and how long the slowest answer took."""

    sent: dict[str, int] = field(default_factory=dict[str, int])
    slowest_seconds: float = 0.0
    errors: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def load(system: ActorSystem) -> AsyncIterator[Load]:
    """Call `ACTORS` actors all the time, in turns by tell and by ask."""
    seen, stopping = Load(), asyncio.Event()
    async with asyncio.TaskGroup() as calling:
        for n in range(ACTORS):
            calling.create_task(_call(system, f"s{n}", seen, stopping))
        try:
            yield seen
        finally:
            stopping.set()


async def check(system: ActorSystem, seen: Load) -> None:
    """Fail if an actor lost, doubled or reordered anything of what it was sent."""
    assert not seen.errors, seen.errors[:5]
    for actor_id, sent in seen.sent.items():
        state = await system.ref(SequenceRef, actor_id).with_options(timeout=20).read()
        assert state == {"last": sent - 1, "wrong": []}, f"{actor_id} was sent {sent}: {state}"


async def _call(system: ActorSystem, actor_id: str, seen: Load, stopping: asyncio.Event) -> None:
    ref = system.ref(SequenceRef, actor_id).with_options(timeout=20)
    for number in count():
        if stopping.is_set():
            return
        seen.sent[actor_id] = number + 1
        try:
            if number % 5:
                await ref.take.tell(number)
            else:
                began_seconds = time.monotonic()
                await ref.take(number)
                seen.slowest_seconds = max(seen.slowest_seconds, time.monotonic() - began_seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            seen.errors.append(f"{actor_id} {number}: {error!r}")
        await asyncio.sleep(PAUSE_SECONDS)
