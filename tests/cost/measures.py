"""What is counted: a fixed script, run until the counts cannot be those of something else.

Everything is in one process and on one event loop: caller, worker and, where it is embedded,
broker and store. What runs beside (heartbeats, idle timers) can only add to a count, so the least of
several rounds is what the messages cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.core.events import Event, TurnEnded
from tests.cost.actors import Echo, EchoRef, Ledger, LedgerRef
from tests.cost.calls import Calls
from tests.cost.wire import counted_commands, counted_frames

#: Messages in a round, and actors they are spread over.
MESSAGES: Final = 30
ACTORS: Final = 10
ROUNDS: Final = 2
#: A guard against hanging, not a measurement.
_HANG_SECONDS: Final = 30.0

Send = Callable[[int], Awaitable[object]]


class Ended:
    """An observer that counts turns and wakes who waits for them."""

    def __init__(self) -> None:
        self._left = 0
        self._none = asyncio.Event()

    def expect(self, turns: int) -> None:
        """Wait for *turns* from now on."""
        self._left = turns
        self._none.clear()

    def observe(self, event: Event) -> None:
        """Count *event* if a turn has ended."""
        if isinstance(event, TurnEnded):
            assert event.outcome == "ok", event
            self._left -= 1
            if not self._left:
                self._none.set()

    async def all(self) -> None:
        """Return when all that are expected have ended."""
        async with asyncio.timeout(_HANG_SECONDS):
            await self._none.wait()


async def embedded() -> dict[str, float]:
    """Return the function calls of a tell and of an ask, its turn included, without drivers and servers."""
    found: dict[str, float] = {}
    async with _running(Settings()) as (system, ended):
        ledgers = [system.ref(LedgerRef, f"a{n}") for n in range(ACTORS)]
        echoes = [system.ref(EchoRef, f"a{n}") for n in range(ACTORS)]
        scripts: Mapping[str, Send] = {
            "tell, effectively once": lambda n: ledgers[n % ACTORS].add.tell(n),
            "tell, at least once": lambda n: echoes[n % ACTORS].add.tell(n),
            "ask, effectively once": lambda n: ledgers[n % ACTORS].add(n),
            "ask, at least once": lambda n: echoes[n % ACTORS].add(n),
        }
        for name, send in scripts.items():
            await _together(send, ended)
            counts = [await _together(send, ended) for _ in range(ROUNDS)]
            found[f"calls: {name}"] = min(counts) / MESSAGES
    return found


async def on_servers(amqp_url: str, redis_url: str) -> dict[str, float]:
    """Return what an ask costs, one after the other: calls, frames of the broker, commands of the store."""
    found: dict[str, float] = {}
    async with (
        counted_frames(amqp_url) as (frames, url),
        _running(Settings(url=url, redis_url=redis_url)) as (system, ended),
    ):
        ledgers = [system.ref(LedgerRef, f"a{n}") for n in range(ACTORS)]
        echoes = [system.ref(EchoRef, f"a{n}") for n in range(ACTORS)]
        scripts: Mapping[str, Send] = {
            "ask, effectively once": lambda n: ledgers[n % ACTORS].add(n),
            "ask, at least once": lambda n: echoes[n % ACTORS].add(n),
        }
        for name, send in scripts.items():
            await _in_turn(send, ended)
            counts = [await _in_turn(send, ended) for _ in range(ROUNDS)]
            found[f"calls: {name}"] = min(counts) / MESSAGES
            async with counted_commands(redis_url) as commands:
                frames.begin()
                await _in_turn(send, ended)
            found[f"frames sent: {name}"] = frames.sent / MESSAGES
            found[f"frames received: {name}"] = frames.received / MESSAGES
            found[f"store commands: {name}"] = len(commands) / MESSAGES
    return found


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[ActorSystem, Ended]]:
    ended = Ended()
    async with ActorSystem(settings, observer=ended) as system, Worker(system, Ledger, Echo):
        yield system, ended


async def _together(send: Send, ended: Ended) -> int:
    """Return the calls of a round whose messages are all under way at a time."""
    ended.expect(MESSAGES)
    with Calls() as calls:
        await asyncio.gather(*(send(n) for n in range(MESSAGES)))
        await ended.all()
    return calls.count


async def _in_turn(send: Send, ended: Ended) -> int:
    """Return the calls of a round whose messages go one by one, each when the one before has ended."""
    with Calls() as calls:
        for n in range(MESSAGES):
            ended.expect(1)
            await send(n)
            await ended.all()
    return calls.count
