"""One soak from beginning to end: trouble, healing, and a look at what is left.

Every phase has a deadline of its own; what does not end by it is a violation, and not a
reason to wait.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from broker_actors import ActorSystem, Settings
from tests.checker.history import History, Violation
from tests.checker.verdict import violations
from tests.soak import looking, reading
from tests.soak.doing import Doing, Say
from tests.soak.parties import Caller, Party
from tests.soak.plan import Plan
from tests.soak.progress import Progress
from tests.soak.report import Report
from tests.soak.sender import Orders
from tests.soak.sites import Site

#: For the last calls of senders: several tries under one key, each with its own deadline.
SENDERS_SECONDS_MAX: Final = 60.0
#: For everything to come to rest once nothing goes wrong any more.
DRAIN_SECONDS_MAX: Final = 120.0
WORKERS_SECONDS_MAX: Final = 40.0
READY_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 0.5


class Soak:
    """The processes of one soak, and what is done with them."""

    def __init__(self, plan: Plan, site: Site, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._site = site
        self._folder = folder
        self._began_seconds = time.monotonic()
        self._say_line = say
        random = Random(plan.seed)  # noqa: S311 - nobody is to be kept from guessing it
        self._workers = [Party(f"worker{n}", site, folder, random) for n in range(plan.workers)]
        orders = [
            Orders(f"s{n}", f"{plan.seed} {n}", "", "", "", plan.lines, plan.pause_seconds)
            for n in range(plan.senders)
        ]
        self._senders = [Caller(one, site, folder, random) for one in orders]
        self._doing = Doing(site, self._workers, self._senders, self._say)
        self._found: list[Violation] = []

    async def run(self) -> Report:
        """Return what came of it."""
        plan = self._plan
        self._say(f"seed {plan.seed}: {plan.workers} workers, {plan.senders} senders")
        self._say(f"brokers on {self._site.broker_ports}, store on {self._site.store.port}, {self._folder}")
        async with AsyncExitStack() as stack:
            for party in (*self._workers, *self._senders):
                stack.push_async_callback(party.close)
                await party.open()
                await party.start()
            for party in (*self._workers, *self._senders):
                if not await party.ready(READY_SECONDS_MAX):
                    raise RuntimeError(f"{party.name} did not start: {_tail(party.log)}")
            self._say("everybody is ready")
            progress = Progress(self._folder, self._doing.done, self._say)
            async with progress.told():
                await self._trouble()
                await self._heal()
            history = await self._look()
        seconds = time.monotonic() - self._began_seconds
        found = [*self._found, *violations(history, plan.minimum)]
        return Report.of(plan.seed, seconds, history, found)

    def _say(self, text: str) -> None:
        self._say_line(f"{time.monotonic() - self._began_seconds:7.1f} {text}")

    async def _trouble(self) -> None:
        faults = self._plan.faults()
        for fault in faults:
            self._say(f"planned {fault}")
        began_seconds = time.monotonic()
        await self._doing.carry_out(faults)
        await asyncio.sleep(max(0.0, began_seconds + self._plan.load_seconds - time.monotonic()))

    async def _heal(self) -> None:
        self._say("heal")
        await self._doing.finish()
        await asyncio.to_thread(self._site.repair)
        for party in (*self._workers, *self._senders):
            party.heal()
            if not party.is_running and party in self._workers:
                await party.start()
        for sender in self._senders:
            sender.signal(signal.SIGTERM)
        self._say("the senders make their last calls")
        for sender in self._senders:
            if not await sender.ended(SENDERS_SECONDS_MAX):
                self._bad("hung", f"{sender.name} did not end: {_tail(sender.log)}")
            elif sender.exit_code:
                self._bad("broken", f"{sender.name} ended with {sender.exit_code}: {_tail(sender.log)}")

    async def _look(self) -> History:
        async with _opened(self._site) as system:
            await self._drain(system)
            calls = await asyncio.to_thread(reading.calls_of, self._folder)
            actors = sorted({*await looking.actors_of(system), *(call.actor for call in calls)})
            said = await looking.say(system, actors)
            self._say(f"{len(actors)} actors have said what they hold")
            await self._stop_workers()
            kept = await looking.stored(system, actors)
            for actor in actors:
                if said[actor] != kept[actor]:
                    self._bad("state", f"{actor} says it holds something else than the store does")
            left, letters = await looking.left(system, self._site), await looking.letters(system)
        for failure in self._doing.failures:
            self._bad("broken", f"the soak itself: {failure}")
        claims, commits = await asyncio.to_thread(reading.witness_of, self._folder)
        calls += reading.asked_by_turns(said)
        faults = dict(self._doing.done)
        return History(calls, reading.held_of(said), claims, commits, letters, left, faults)

    async def _drain(self, system: ActorSystem) -> None:
        """Return when nothing is under way any more, or it takes too long.

        A broker counts what is ready, and nobody counts what workers hold. Every actor is asked, since an
        answer comes behind all that was before it; then workers stop and give back what they still hold,
        before what is left is believed to be nothing.
        """
        self._say("drain")
        end_seconds = time.monotonic() + DRAIN_SECONDS_MAX
        left = {"not yet looked at": 1}
        while left and time.monotonic() < end_seconds:
            left = await looking.left(system, self._site)
            if left:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            await looking.say(system, await looking.actors_of(system))
            await self._stop_workers()
            left = await looking.left(system, self._site)
            for worker in self._workers:
                await worker.start()
            await self._await_workers()
        self._say(f"left after the drain: {left or 'nothing'}")

    async def _await_workers(self) -> None:
        for worker in self._workers:
            if not await worker.ready(READY_SECONDS_MAX):
                self._bad("hung", f"{worker.name} did not start again: {_tail(worker.log)}")

    async def _stop_workers(self) -> None:
        """Have every worker stop in order, so that what it still held is back in its queue."""
        await self._await_workers()
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        for worker in self._workers:
            if not await worker.ended(WORKERS_SECONDS_MAX):
                self._bad("hung", f"{worker.name} did not stop: {_tail(worker.log)}")
            elif worker.exit_code:
                self._bad("broken", f"{worker.name} ended with {worker.exit_code}: {_tail(worker.log)}")

    def _bad(self, kind: str, text: str) -> None:
        self._found.append(Violation(kind, text))


async def soak(plan: Plan, site: Site, folder: Path, say: Say) -> Report:
    """Carry out *plan* at *site*; journals and logs go to *folder*."""
    return await Soak(plan, site, folder, say).run()


@asynccontextmanager
async def _opened(site: Site) -> AsyncIterator[ActorSystem]:
    """Open a system that goes through no proxy; the servers may just have come back."""
    settings = Settings(url=site.amqp_url, redis_url=site.store.url, connect_timeout_seconds=30.0)
    async with ActorSystem(settings) as system:
        yield system


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])
