"""Does to the processes of a soak what its schedule says, and undoes it."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tests.servers import Server, ServerError
from tests.soak.cluster import leader_of
from tests.soak.faults import Fault, Kind
from tests.soak.parties import Party, holds
from tests.soak.proxy import Proxy
from tests.soak.sites import Site

#: How long something that is to happen waits for somebody it can happen to.
_PATIENCE_SECONDS: Final = 30.0
#: Attempts to start a server again.
_STARTS_MAX: Final = 3

Say = Callable[[str], None]


class Doing:
    """The hand that does it.

    Invariants: nothing is done twice at a time to one process; of the broker's nodes one at a
    time is down, so that the others can go on; what was begun is undone, whatever fails.
    """

    def __init__(self, site: Site, workers: Sequence[Party], senders: Sequence[Party], say: Say) -> None:
        self._site = site
        self._workers = workers
        self._everybody = [*workers, *senders]
        self._say = say
        self._busy_servers: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        #: What was done.
        self.done: Counter[str] = Counter()
        #: What went wrong with the doing; a soak of which anything did proves little.
        self.failures: list[str] = []

    async def carry_out(self, faults: Iterable[Fault]) -> None:
        """Do everything at its time; return when the last has begun."""
        loop = asyncio.get_running_loop()
        began_seconds = loop.time()
        for fault in faults:
            await asyncio.sleep(began_seconds + fault.at_seconds - loop.time())
            task = loop.create_task(self._do(fault))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Return when everything is undone."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(repr(error))

    async def _do(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.KILL_WORKER | Kind.FREEZE_WORKER | Kind.STOP_WORKER:
                await self._to_worker(fault)
            case Kind.KILL_STORE | Kind.FREEZE_STORE:
                await self._to_server(fault, self._site.store, "store")
            case Kind.KILL_BROKER | Kind.FREEZE_BROKER | Kind.KILL_LEADER:
                await self._to_server(fault, None, "broker")
            case _:
                await self._to_lines(fault)

    async def _to_worker(self, fault: Fault) -> None:
        party = await _idle(self._workers, fault.who)
        if party is None:
            return
        async with _Busy(party):
            self._begin(fault, party.name)
            if fault.kind is Kind.FREEZE_WORKER:
                party.signal(signal.SIGSTOP)
                await asyncio.sleep(fault.seconds)
                party.signal(signal.SIGCONT)
                return
            if fault.kind is Kind.STOP_WORKER:
                party.signal(signal.SIGTERM)
                if not await party.ended(timeout_seconds=40.0):
                    self.failures.append(f"{party.name} did not stop")
            await party.kill()
            await asyncio.sleep(fault.seconds)
            await party.start()

    async def _to_server(self, fault: Fault, server: Server | None, what: str) -> None:
        if not await holds(lambda: what not in self._busy_servers, _PATIENCE_SECONDS):
            return
        self._busy_servers.add(what)
        try:
            server = server or await self._node(fault)
            self._begin(fault, f"{what} on port {server.port}")
            if fault.kind in {Kind.FREEZE_BROKER, Kind.FREEZE_STORE}:
                server.freeze()
                await asyncio.sleep(fault.seconds)
                server.thaw()
            else:
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(fault.seconds)
                await self._bring_back(server, f"{what} on port {server.port}")
        finally:
            self._busy_servers.discard(what)

    async def _bring_back(self, server: Server, name: str) -> None:
        """Start it again; on a machine this busy a node may need longer than a server is given."""
        for left in reversed(range(_STARTS_MAX)):
            try:
                await asyncio.to_thread(server.restart)
            except ServerError as error:
                if not left:
                    raise
                self._say(f"{name} did not start, once more: {str(error).splitlines()[0]}")
            else:
                self._say(f"{name} is back")
                return

    async def _node(self, fault: Fault) -> Server:
        """Return the broker node *fault* happens to."""
        nodes, leader = self._site.brokers, None
        if fault.kind is Kind.KILL_LEADER:
            leader = await asyncio.to_thread(leader_of, nodes, self._site.amqp_url, fault.who)
        return leader or nodes[fault.who % len(nodes)]

    async def _to_lines(self, fault: Fault) -> None:
        party = await _idle(self._everybody, fault.who)
        if party is None:
            return
        async with _Busy(party):
            self._begin(fault, party.name)
            is_broker = fault.kind in {Kind.CUT_BROKER, Kind.DARKEN_BROKER, Kind.DROP_CONFIRMS}
            await _break(party.broker if is_broker else party.store, fault)

    def _begin(self, fault: Fault, whom: str) -> None:
        self.done[fault.kind] += 1
        self._say(f"{fault.kind}: {whom}, for {fault.seconds:.1f} s")


async def _break(proxy: Proxy, fault: Fault) -> None:
    match fault.kind:
        case Kind.CUT_BROKER | Kind.CUT_STORE:
            proxy.cut()
            return
        case Kind.DARKEN_BROKER | Kind.DARKEN_STORE:
            proxy.darken()
        case _:
            proxy.swallow()
    await asyncio.sleep(fault.seconds)
    proxy.heal(late=fault.late)


class _Busy:
    """Marks a party as under a fault."""

    def __init__(self, party: Party) -> None:
        self._party = party

    async def __aenter__(self) -> None:
        self._party.is_busy = True

    async def __aexit__(self, *_: object) -> None:
        self._party.is_busy = False


async def _idle(parties: Sequence[Party], who: int) -> Party | None:
    """Return the party with that number, or the next one nothing is being done to; None if all stay busy."""
    in_order = [parties[(who + number) % len(parties)] for number in range(len(parties))]
    await holds(lambda: not all(party.is_busy for party in in_order), _PATIENCE_SECONDS)
    return next((party for party in in_order if not party.is_busy), None)
