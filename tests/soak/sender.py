"""A sender: a process that calls actors until it is told to stop, and writes down what it learns."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from broker_actors import ActorSystem, Settings
from broker_actors.core.errors import ActorError, AskTimeoutError, PlatformError
from broker_actors.core.events import ConnectionLost, Event, Trouble
from tests.soak.actors import AccountRef
from tests.soak.drawing import ASKS, KEYED, SLOW_SECONDS, Drawing, Planned, Way
from tests.soak.journal import CALLS, Journal
from tests.soak.mutants import MUTANT, become

#: Callers of a sender whose calls are slow.
SLOW_LINES: Final = 2
ASK_SECONDS: Final = 8.0
TELL_SECONDS: Final = 10.0
#: How often a sender calls under the same key before it gives up, and how long it waits between.
KEYED_TRIES: Final = 4
PAUSE_AFTER_FAILURE_SECONDS: Final = 0.2
#: How long opening a system is tried: the servers may just be down.
OPEN_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Orders:
    """What a sender is to do.

    Attributes:
        name: of the sender.
        seed: of what it calls.
        url: of the broker.
        redis_url: of the store.
        folder: where its journal goes.
        lines: how many callers it has, each with one burst at a time.
        pause_seconds: of a caller between its bursts.

    """

    name: str
    seed: str
    url: str
    redis_url: str
    folder: str
    lines: int = 4
    pause_seconds: float = 0.02

    def text(self) -> str:
        """Return these orders as an argument of the process."""
        return json.dumps(asdict(self))


class Losses:
    """Counts what may have made the client publish something a second time."""

    def __init__(self) -> None:
        self.count = 0

    def observe(self, event: Event) -> None:
        """Take note of *event*."""
        if isinstance(event, ConnectionLost | Trouble):
            self.count += 1


class Sender:
    """One system and the calls made on it."""

    def __init__(self, system: ActorSystem, losses: Losses, orders: Orders) -> None:
        self._system = system
        self._losses = losses
        self._drawing = Drawing(orders.name, orders.seed)
        self._journal = Journal(Path(orders.folder), CALLS, orders.name)
        self._orders = orders
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Call until told to stop, and return once every call has ended."""
        async with asyncio.TaskGroup() as callers:
            for _ in range(self._orders.lines):
                callers.create_task(self._call())
            for _ in range(SLOW_LINES):
                callers.create_task(self._call_slowly())

    async def _call_slowly(self) -> None:
        while not self.stopping.is_set():
            calls = [asyncio.create_task(self._make(planned)) for planned in self._drawing.slow_burst()]
            await asyncio.gather(*calls)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), SLOW_SECONDS * len(calls))

    async def _call(self) -> None:
        while not self.stopping.is_set():
            calls = [asyncio.create_task(self._make(planned)) for planned in self._drawing.burst()]
            are_fine = await asyncio.gather(*calls)
            pause_seconds = self._orders.pause_seconds if all(are_fine) else PAUSE_AFTER_FAILURE_SECONDS
            await asyncio.sleep(pause_seconds)

    async def _make(self, planned: Planned) -> bool:
        write, losses = self._journal.write, self._losses.count
        began = time.monotonic_ns()
        facts = (
            planned.amount,
            planned.keeps_order,
            planned.is_bad,
            planned.may_fail,
            planned.tells,
            planned.plan,
        )
        write("began", planned.name, planned.number, planned.actor, str(planned.way), began, *facts)
        tries, began_try = 0, began
        while True:
            tries += 1
            outcome, answers = await self._try(planned)
            if outcome != "unknown" or tries == (KEYED_TRIES if planned.way in KEYED else 1):
                break
            await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)
            began_try = time.monotonic_ns()
        ended = time.monotonic_ns()
        limit_seconds = ASK_SECONDS if planned.way in ASKS else TELL_SECONDS
        deadline = began_try + int(limit_seconds * 1e9)
        is_first = tries == 1 and losses == self._losses.count
        write("ended", planned.name, ended, deadline, outcome, answers, is_first)
        return outcome != "unknown"

    async def _try(self, planned: Planned) -> tuple[str, list[Sequence[int]]]:
        try:
            answers = await self._send(planned)
        except ActorError:
            return "refused", []
        except (PlatformError, AskTimeoutError):
            return "unknown", []
        return ("answered" if answers else "confirmed"), answers

    async def _send(self, planned: Planned) -> list[Sequence[int]]:
        """Send it and return its answers; none for a tell."""
        ref = self._system.ref(AccountRef, planned.actor).with_options(timeout=ASK_SECONDS)
        keyed = ref.with_options(idempotency_key=planned.name)
        message = (planned.name, planned.amount, planned.plan)
        match planned.way:
            case Way.TELL:
                await ref.put.tell(*message)
            case Way.KEYED_TELL:
                await keyed.put.tell(*message)
            case Way.DELAYED:
                await ref.put.tell_after(1, *message)
            case Way.ASK:
                return [await ref.put(*message)]
            case Way.KEYED_ASK:
                return [await keyed.put(*message)]
            case Way.TWIN_ASKS:
                return await _both(keyed.put(*message), keyed.put(*message))
            case Way.READ:
                return [await ref.look()]
        return []


async def _both(*asks: Awaitable[Sequence[int]]) -> list[Sequence[int]]:
    """Return both answers, or the one there is."""
    answers = await asyncio.gather(*asks, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if len(failures) == len(answers):
        raise failures[0]
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def _open(orders: Orders, losses: Losses) -> ActorSystem:
    """Return an open system; the servers may just be down."""
    settings = Settings(url=orders.url, redis_url=orders.redis_url, publish_timeout_seconds=TELL_SECONDS)
    tries = 0
    while True:
        tries += 1
        system = ActorSystem(settings, observer=losses)
        try:
            await system.__aenter__()
            # The first call of a system looks up the layout; from the second on, numbers are taken at once.
            await system.ref(AccountRef, "warm").look()
        except (PlatformError, AskTimeoutError):
            await system.__aexit__(None, None, None)
            if tries == OPEN_TRIES:
                raise
        else:
            return system


async def _main(orders: Orders) -> None:
    losses = Losses()
    system = await _open(orders, losses)
    sender = Sender(system, losses, orders)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sender.stopping.set)
    sys.stdout.write(f"ready: {orders.name}\n")
    sys.stdout.flush()
    try:
        await sender.run()
    finally:
        await system.__aexit__(None, None, None)


if __name__ == "__main__":
    become(os.environ.get(MUTANT, ""))
    asyncio.run(_main(Orders(**json.loads(sys.argv[1]))))
