"""One seed from beginning to end: trouble, healing, and a look at what is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final

from broker_actors.actor.spec import spec_of
from broker_actors.runtime.suspending import resume
from tests.simulation.actors import Book
from tests.simulation.checks import disturbances_of, problems_after_rollback, problems_of, what_is_left
from tests.simulation.faults import Faults
from tests.simulation.loop import StuckError
from tests.simulation.nodes import Nodes, hurried
from tests.simulation.scenarios import Scenario, Trouble, scenario_of, target_of, troubles_of
from tests.simulation.workload import ACTORS, Workload, drawn
from tests.simulation.world import World, dice

#: Virtual time for all calls to end, for each has a deadline or a bounded number of tries.
CALLS_SECONDS_MAX: Final = 240.0
#: Virtual time in which everything must come to rest once nothing goes wrong any more.
QUIET_SECONDS_MAX: Final = 240.0
#: Virtual time in which a crash that was planned may still come.
TARGET_SECONDS_MAX: Final = 8.0
LOOK_SECONDS: Final = 0.5
#: Longer than a lease, sometimes.
FREEZE_SECONDS_MAX: Final = 12.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a seed came to.

    Attributes:
        seed: which.
        scenario: its class.
        problems: what was found wrong; empty if nothing.
        history: what happened, as text; empty unless asked for.
        digest: of the history; empty unless asked for.
        steps: of the loop.
        crashes: by place.
        fates: of calls, by call and kind.
        troubles: of nodes and connections, by kind.
        commits: that were made.
        fenced: that were refused.

    """

    seed: int
    scenario: str
    problems: tuple[str, ...]
    history: tuple[str, ...]
    digest: str
    steps: int
    crashes: Counter[tuple[str, str]]
    fates: Counter[tuple[str, str]]
    troubles: Counter[str]
    commits: int
    fenced: int


def run(seed: int, *, tells: bool = False) -> Result:
    """Run *seed*.

    Args:
        seed: which; everything else follows from it.
        tells: whether the history is wanted.

    """
    scenario = scenario_of(seed)
    # Not the world's own: how a seed is drawn does not depend on how it runs.
    random = dice(f"workload and troubles of {seed}")
    workload = drawn(scenario, random)
    world = World(seed, Faults(dice(f"faults of {seed}"), scenario.rates), target_of(seed))
    world.broker.requeues_to_back = scenario.requeues_to_back
    with hurried():
        nodes = Nodes(world, scenario)
        try:
            problems = world.loop.run(_played(world, nodes, scenario, workload, random))
        except StuckError as error:
            problems = [str(error)]
    problems = [*world.loop.problems, *world.problems, *world.store.problems, *problems]
    lines = tuple(world.lines()) if tells else ()
    return Result(
        seed,
        scenario.name,
        tuple(problems),
        lines,
        blake2b("\n".join(lines).encode(), digest_size=16).hexdigest() if tells else "",
        world.loop.steps,
        world.crashes,
        world.fates,
        world.troubles,
        world.store.commits,
        world.store.fenced,
    )


async def _played(
    world: World, nodes: Nodes, scenario: Scenario, workload: Workload, random: Random
) -> list[str]:
    for _ in range(scenario.workers):
        nodes.start_worker()
    if not scenario.disturbs or Trouble.START_OTHER in scenario.troubles:
        # Who knows no class asks for the layout, and must find it; and nobody else may be the first.
        await world.store.layout(spec_of(Book).layout)
    for client, lines in workload.clients.items():
        nodes.start_client(client, lines)
    for step, trouble in troubles_of(scenario, random):
        world.loop.at_step(step, Happening(world, nodes, trouble, random))
    if not await _until(lambda: not nodes.clients, CALLS_SECONDS_MAX):
        return [f"calls that never ended: {[c.name for c in workload.calls if not c.ended]}"]
    # Some calls are made now and then, and not for anybody's message.
    await _until(lambda: not world.has_target, TARGET_SECONDS_MAX)
    _heal(world, nodes)
    for address, _ in await world.store.suspended("Book"):
        await resume(world.store, world.clock(), address)
    if not await _until(lambda: not what_is_left(world), QUIET_SECONDS_MAX):
        return [f"left after {QUIET_SECONDS_MAX:g} s: {line}" for line in what_is_left(world)]
    disturbed = [] if scenario.disturbs else disturbances_of(workload)
    if scenario.rolls_back:
        return problems_after_rollback(world, workload)
    return [*problems_of(world, workload), *disturbed]


def _heal(world: World, nodes: Nodes) -> None:
    world.note("heal")
    world.spare()
    for name in nodes.workers:
        world.thaw(name)
    nodes.start_worker()


async def _until(holds: Callable[[], bool], seconds_max: float) -> bool:
    """Return whether *holds* held within *seconds_max*."""
    loop = asyncio.get_running_loop()
    end_seconds = loop.time() + seconds_max
    while not holds():
        if loop.time() > end_seconds:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


class Happening:
    """One trouble, when its step has come."""

    def __init__(self, world: World, nodes: Nodes, trouble: Trouble, random: Random) -> None:
        self._world = world
        self._nodes = nodes
        self._trouble = trouble
        self._random = random

    def __call__(self) -> None:
        """Let it happen, if there is anybody it can happen to, and healing has not begun."""
        if not self._world.faults.active:
            return
        self._world.troubles[self._trouble] += 1
        workers, clients = self._nodes.workers, self._nodes.clients
        match self._trouble:
            case Trouble.START:
                self._nodes.start_worker()
            case Trouble.START_OTHER:
                self._nodes.start_worker(other=True)
            case Trouble.BACK_UP | Trouble.RESTORE | Trouble.RESTART | Trouble.SUSPEND | Trouble.RESUME:
                self._to_store()
            case Trouble.CRASH_CLIENT | Trouble.LOSE_REPLIES:
                if clients:
                    self._to_client(self._random.choice(clients))
            case _ if workers:
                self._to_worker(self._random.choice(workers))
            case _:
                return

    def _to_store(self) -> None:
        store = self._world.store
        match self._trouble:
            case Trouble.BACK_UP:
                store.back_up()
            case Trouble.RESTORE:
                self._world.set_back = len(self._world.history)
                self._world.witnessed(store.set_back())
            case Trouble.RESTART:
                store.restart()
            case Trouble.SUSPEND:
                store.suspend_now(self._random.choice(ACTORS))
            case _:
                store.resume_now()

    def _to_client(self, name: str) -> None:
        if self._trouble is Trouble.CRASH_CLIENT:
            self._world.crash(name, "at a step")
            return
        channels = sorted(self._world.channels._inboxes)
        if channels:
            channel = self._random.choice(channels)
            self._world.note("reply channel lost", channel)
            self._world.channels.remove(channel)

    def _to_worker(self, name: str) -> None:
        world = self._world
        match self._trouble:
            case Trouble.CRASH_WORKER:
                world.crash(name, "at a step")
            case Trouble.STOP:
                if len(self._nodes.workers) > self._nodes.workers_min:
                    self._nodes.stop_worker(name)
            case Trouble.FREEZE | Trouble.FREEZE_DROPPED:
                world.freeze(name, self._random.uniform(1.0, FREEZE_SECONDS_MAX))
                if self._trouble is Trouble.FREEZE_DROPPED:
                    world.disconnect(name, "no heartbeat")
            case Trouble.DISCONNECT:
                world.disconnect(name, "connection reset")
            case _:
                self._cancel(name)

    def _cancel(self, name: str) -> None:
        consumers = [one for one in self._nodes.transports[name].consumers if not one.ended]
        if consumers:
            self._world.note("consumer cancelled", name)
            self._random.choice(consumers).lose("the broker cancelled the consumer")
