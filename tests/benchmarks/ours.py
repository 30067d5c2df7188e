"""The platform's side: what a user of it would write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from broker_actors import ActorSystem, Worker
from broker_actors.actor.spec import spec_of
from broker_actors.core.events import Event, TurnEnded
from broker_actors.worker.collecting import collect_seldom
from tests.benchmarks.actors import ACTORS, REFS, AnyRef, Work, ignore
from tests.benchmarks.job import Job
from tests.benchmarks.latency import check, measure_asks
from tests.benchmarks.measuring import Effects, Measured, Signals, pump


class Quiet:
    """An observer that logs nothing."""

    def observe(self, event: Event) -> None:
        """Ignore *event*."""


class Counting:
    """An observer that counts the turns that have ended: committed, and their messages acknowledged.

    A turn that ends otherwise fails the measurement, for it would not be what it claims to be.
    """

    def __init__(self, effects: Effects) -> None:
        self._effects: Effects | None = None
        self.count(effects)

    def count(self, effects: Effects | None) -> None:
        """Have what actors do from now on take effect in *effects*, and their turns counted there."""
        self._effects = effects
        Work.effect = effects.add if effects else ignore

    def observe(self, event: Event) -> None:
        """Count *event* if it is the end of a turn."""
        if isinstance(event, TurnEnded) and self._effects is not None:
            if event.outcome == "ok":
                self._effects.done()
            else:
                self._effects.fail(f"a turn ended {event.outcome}: {event.error}")


async def publish(job: Job, signals: Signals) -> None:
    """Tell, many at a time."""
    async with ActorSystem.connect(job.amqp_url, job.redis_url, observer=Quiet()) as system:
        refs = refs_of(system, job)

        async def send(n: int) -> None:
            await refs[n % len(refs)].add.tell(n)

        await pump(job.warm_up, job.in_flight, send)
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            await pump(job.messages, job.in_flight, send)
        signals.result(measured.facts(job.messages))


async def drain(job: Job, signals: Signals) -> None:
    """Run a worker until everything that waits has taken effect."""
    effects = Effects(job)
    actor = ACTORS[job.actor_type]
    async with AsyncExitStack() as stack:
        system = ActorSystem.connect(job.amqp_url, job.redis_url, observer=Counting(effects))
        await stack.enter_async_context(system)
        # Declared before the clock starts, as the queues of the raw consumers are.
        await system.dispatch.layout(job.actor_type, spec_of(actor).layout)
        worker = Worker(system, actor)
        # As `broker-actors worker` does.
        collect_seldom()
        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            await stack.enter_async_context(worker)
            await effects.all()
    signals.result(measured.facts(job.messages))


async def serve(job: Job, signals: Signals) -> None:
    """Run a worker until told to stop."""
    collect_seldom()
    async with (
        ActorSystem.connect(job.amqp_url, job.redis_url, observer=Quiet()) as system,
        Worker(system, ACTORS[job.actor_type]),
    ):
        signals.ready()
        with Measured(job.profile):
            await signals.go()
    signals.result({})


async def ask(job: Job, signals: Signals) -> None:
    """Ask: one at a time, then many."""
    async with ActorSystem.connect(job.amqp_url, job.redis_url, observer=Quiet()) as system:
        one = asking(refs_of(system, job))
        signals.result(await measure_asks(job, signals, one, one))


def asking(refs: Sequence[AnyRef]) -> Callable[[int], Awaitable[None]]:
    """Return a function that asks one of *refs* to add a number, and checks the answer."""

    async def one(n: int) -> None:
        check(n, await refs[n % len(refs)].add(n))

    return one


def refs_of(system: ActorSystem, job: Job) -> list[AnyRef]:
    """Return a handle on each actor of *job*."""
    return [system.ref(REFS[job.actor_type], actor_id) for actor_id in job.actor_ids]
