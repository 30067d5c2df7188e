"""Everything between a delivery and its turn: lanes, activations, runners.

Invariants: at most one turn of an actor runs in this process, interleaved ones apart; a delivery ends
acknowledged, or given back to the broker with its subscription, and never both; a runner
that dies of a bug is noticed through `failed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Final

from broker_actors.actor.spec import ActorSpec
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.core.errors import UndecodableError
from broker_actors.core.lanes import Admitted, Lanes
from broker_actors.core.member import Held
from broker_actors.core.parking import WAKE
from broker_actors.core.supervision import Restart
from broker_actors.ports.transport import Delivery
from broker_actors.runtime.activation import Activation
from broker_actors.runtime.arrival import Arrival, Subscription
from broker_actors.runtime.clockwork import TimerPlan
from broker_actors.runtime.cycles import Wanting
from broker_actors.runtime.directory import Directory, Passivate
from broker_actors.runtime.holding import Holding
from broker_actors.runtime.order import Order
from broker_actors.runtime.parker import Item, Parker, Unpark
from broker_actors.runtime.relief import Parts, Relief
from broker_actors.runtime.resting import Rests
from broker_actors.runtime.running import Capacity, Running, caller_in_lane, held_of
from broker_actors.runtime.sections import Entry
from broker_actors.runtime.services import Services
from broker_actors.runtime.snapshot import Snapshot
from broker_actors.runtime.strays import Strays
from broker_actors.runtime.streaming import steps_of
from broker_actors.runtime.suspects import Suspects
from broker_actors.runtime.timers import Tick, Timers
from broker_actors.runtime.turn import run_turn

#: Turns a runner takes without suspending before it lets the loop read and write.
BURST_MAX: Final = 50
#: How long a method may take to end once it is cancelled; then it is left behind.
CANCEL_SECONDS_MAX: Final = 5.0


class Host:
    """Runs the turns of one worker."""

    def __init__(
        self,
        services: Services,
        specs: Mapping[str, ActorSpec],
        holding: Holding,
        *,
        capacity: Capacity | None = None,
    ) -> None:
        capacity = capacity or Capacity()
        self._services = services
        self._holding = holding
        self._specs = specs
        self._suspects = Suspects(services, self.waits)
        self._lanes: Lanes[Item] = Lanes(capacity.running_max)
        self._rests = Rests(services.clock, self._lanes, self._start_runner)
        self._directory = Directory(services, specs, capacity.residents_max, self._left)
        self._strays = Strays(services)
        self._runners: set[asyncio.Task[None]] = set()
        self._timers = Timers(services, self._directory, self._rang, self._turn, self._start_background)
        self._turns: dict[Arrival, Running] = {}
        #: Those of them that run in the lane of their actor.
        self._in_lane: dict[Address, tuple[Arrival, Running]] = {}
        self._parker = Parker(services, self._lanes, self._start_runner)
        self._order = Order(self._lanes, self._directory, self._parker, self._turn)
        self._relief = Relief(
            Parts(self._lanes, self._in_lane, self._directory, self._parker, self._start_background)
        )
        self._runner_is_starting = False
        self._waits_to_begin = False
        self._draining = False
        self._closing = False
        #: Set when no turn runs; None while nobody waits for that.
        self._quiet: asyncio.Event | None = None
        #: Resolves with an exception when a runner died, which only a bug can cause.
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(self, subscription: Subscription, delivery: Delivery) -> None:
        """Take a delivery in; called by the transport, never blocks."""
        if subscription.is_lost():
            return
        if not subscription.is_served:
            subscription.served_seconds = self._services.clock.monotonic_seconds()
            self._holding.served(subscription)
        subscription.delivered += 1
        try:
            envelope = from_wire(delivery.message)
        except UndecodableError as error:
            self._strays.bury(delivery, subscription, error)
            return
        if not (envelope.sender and envelope.seq):
            envelope = self._named(envelope)
        address, method = envelope.address, envelope.method
        if method == WAKE:
            live = self._directory.get(address)
            if live is not None and live.suspension is None:
                # Its alarm may be one too many; if it is not, nothing is done twice.
                self._parker.follow(live, subscription)
                subscription.ack(delivery)
                return
        spec = self._specs.get(address.type)
        beside = envelope.identity if spec is not None and method in spec.interleaved else ""
        now_seconds = self._services.clock.monotonic_seconds()
        arrival = Arrival(envelope, delivery, subscription, now_seconds)
        self._relief.changed(subscription)
        self._lanes.arrive(address, arrival, beside=beside)
        self._start_runner()

    def hold(self) -> None:
        """Begin nothing before `begin`: what is delivered waits."""
        self._waits_to_begin = True

    def begin(self) -> None:
        """Begin what waits. Idempotent."""
        self._waits_to_begin = False
        self._start_runner()

    def lost(self, subscription: Subscription) -> None:
        """Take note that the broker has the messages of *subscription* back."""
        subscription.lose()
        self._holding.lost(subscription.mailbox)
        for address in self._directory.of_mailbox(subscription.mailbox):
            self._rests.end(address)
            self._lanes.arrive(address, Passivate(address))
        self._start_runner()

    def let_go(self) -> None:
        """Passivate every actor when its lane comes to it: what runs is not cut off."""
        for address in self._directory.addresses():
            self._lanes.arrive(address, Passivate(address))
        self._start_runner()

    @property
    def directory(self) -> Directory:
        """What is live here, and what is known of what was."""
        return self._directory

    async def finish(self, subscription: Subscription) -> None:
        """Begin nothing more of *subscription*; return when nothing runs. The caller sets the deadline."""
        await subscription.finish()
        await self._holding.release(subscription.mailbox)

    def passivate_idle(self) -> None:
        """Passivate the actors that have been idle for their type's `idle_timeout`."""
        self._passivate(self._directory.idle(self._services.clock.monotonic_seconds()))

    def _passivate(self, addresses: Sequence[Address]) -> None:
        for address in addresses:
            if self._lanes.is_idle(address):
                self._lanes.arrive(address, Passivate(address, if_idle=True))
        self._start_runner()

    async def drain(self, deadline_seconds: float) -> bool:
        """Start nothing new and wait for what runs; return whether all of it ended in time.

        What the running turns wait for still runs: asks of theirs to actors of this worker.
        """
        self._draining = True
        if self._lanes.running:
            quiet = self._quiet = self._quiet or asyncio.Event()
            quiet.clear()
            try:
                async with asyncio.timeout(deadline_seconds):
                    await quiet.wait()
            except TimeoutError:
                return False
        return True

    async def close(self) -> None:
        """Cancel what still runs, then deactivate every actor. Idempotent."""
        self._draining = self._closing = True
        runners = list(self._runners)
        for runner in runners:
            runner.cancel()
        if runners:
            # Bounded: a method may swallow its cancellation.
            await asyncio.wait(runners, timeout=CANCEL_SECONDS_MAX)
        await self._rests.close()
        await self._strays.close()
        await self._parker.close()
        await self._directory.close()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs, and nothing is about to."""
        return self._lanes.is_at_rest

    @property
    def residents(self) -> int:
        """How many actors are live in this process."""
        return len(self._directory)

    @property
    def running(self) -> int:
        """How many turns run."""
        return self._lanes.running

    def held(self) -> Mapping[str, Held]:
        """Return what is delivered and not acknowledged, by mailbox."""
        return held_of(self._turns, self._lanes.queues())

    @property
    def turns(self) -> list[Running]:
        """The turns that run, the oldest first."""
        return list(self._turns.values())

    @property
    def waiting(self) -> Mapping[Address, int]:
        """How many deliveries wait in each lane."""
        return self._lanes.depths()

    def _start_runner(self) -> None:
        """Make sure a runner is about to look at the lanes.

        A runner that suspends in a turn has started its successor before, so the lanes are
        never without somebody to serve them, and a burst of turns that do not suspend costs
        one task.
        """
        if self._runner_is_starting or self._waits_to_begin or self._closing:
            return
        self._runner_is_starting = True
        self._start_background(self._run())

    def _start_background(self, running: Coroutine[None, None, None]) -> asyncio.Task[None]:
        runner = asyncio.create_task(running)
        self._runners.add(runner)
        runner.add_done_callback(self._runner_ended)
        return runner

    def _runner_ended(self, runner: asyncio.Task[None]) -> None:
        self._runners.discard(runner)
        if not runner.cancelled() and (error := runner.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _run(self) -> None:
        self._runner_is_starting = False
        burst = 0
        while not self._closing and (admitted := self._lanes.next()) is not None:
            self._start_runner()
            try:
                await self._one(admitted)
            finally:
                self._lanes.done(admitted)
                if self._quiet is not None and not self._lanes.running:
                    self._quiet.set()
            burst += 1
            if burst % BURST_MAX == 0:
                await asyncio.sleep(0)

    def _one(self, admitted: Admitted[Item]) -> Coroutine[None, None, None]:
        is_beside = bool(admitted.beside)
        match admitted.item:
            case Arrival() as item:
                return self._arrival(item, is_beside=is_beside)
            case Passivate() as item:
                return self._directory.passivate(item.address, if_idle=item.if_idle)
            case Entry() as item:
                return item.hold()
            case Tick() as item:
                return self._timers.run(item, is_beside=is_beside, draining=self._draining)
            case Unpark() as item:
                return self._order.unpark(item, draining=self._draining)

    async def _arrival(self, item: Arrival, *, is_beside: bool) -> None:
        subscription, address = item.subscription, item.envelope.address
        if not is_beside and self._parker.is_busy(address) and await self._parker.is_gone(item):
            return
        if not subscription.is_known:
            await subscription.known()
        if not subscription.may_begin(item.envelope, draining=self._draining):
            return
        now_seconds = self._services.clock.monotonic_seconds()
        subscription.begun(item, now_seconds)
        try:
            activation = self._directory.in_use(address, now_seconds)
            activation = activation or await self._directory.activate(address, subscription.mailbox)
            if activation is None:
                subscription.abandon()
                return
            if is_beside:
                await self._turn(activation, item, is_beside=True)
            else:
                await self._order.take(activation, item, draining=self._draining)
        finally:
            subscription.ended(item)
        if subscription.is_lost() or activation.has_parked:
            await self._order.follow(activation, subscription)

    async def _turn(
        self, activation: Activation, item: Arrival, *, is_beside: bool = False, overflows: bool = False
    ) -> None:
        activation.begin()
        if surplus := self._directory.surplus():
            self._passivate(surplus)
        task, now_seconds = asyncio.current_task(), self._services.clock.monotonic_seconds()
        assert task is not None
        trial = self._suspects.trial(item)
        is_read = is_beside or item.envelope.method in activation.spec.offloaded
        subject = Snapshot(activation, is_beside=is_beside) if is_read else activation
        steps = steps_of(trial, subject, self._services, self, overflows=overflows)
        running = self._turns[item] = Running(item, task, now_seconds, steps)
        parking = subject.parking
        if not is_beside:
            self._in_lane[activation.address] = (item, running)
        if parking is not None:
            parking.begin(from_head=item.is_parked)
        try:
            await run_turn(item.envelope, steps)
            if steps.rest is not None and not is_beside:
                self._rested(activation, steps.rest)
        except BaseException:
            # Whatever the run left of its state must not be what the next turn starts from.
            self._directory.discard(activation)
            item.subscription.abandon()
            raise
        finally:
            if parking is not None:
                parking.end()
            if not is_beside:
                del self._in_lane[activation.address]
            del self._turns[item]
            if trial.is_charged:
                await trial.end()
            if activation.end():
                await self._directory.end(activation)

    def _rested(self, activation: Activation, rest: Restart) -> None:
        activation.faults_ms = rest.faults_ms
        if rest.wait_seconds:
            self._rests.begin(activation.address, rest.wait_seconds)

    def enter(self, entry: Entry) -> None:
        """Put a section at the end of its actor's lane."""
        self._lanes.arrive(entry.address, entry)
        self._start_runner()

    def caller_in_lane(self, wanting: Wanting) -> str:
        """Return the method that holds the lane and waits for *wanting*; empty if none does."""
        return caller_in_lane(wanting, self._in_lane, self._turns.values())

    def wind(
        self, address: Address, plans: Mapping[str, TimerPlan | None], subscription: Subscription
    ) -> None:
        """Start or stop timers of *address*, as a turn that has committed wants it."""
        self._timers.wind(address, plans, subscription)

    def _rang(self, tick: Tick) -> None:
        address, method = tick.timer.activation.address, tick.timer.plan.method
        spec = tick.timer.activation.spec
        self._lanes.arrive(address, tick, beside=f"timer {id(tick)}" if method in spec.interleaved else "")
        self._start_runner()

    def _left(self, activation: Activation) -> None:
        self._timers.end(activation)

    def relieve(self) -> None:
        """Look at the prefetch windows: what waits in them may keep away what it waits for."""
        self._relief.look_at_all()

    def parked(self, actor_type: str, size_bytes: int) -> None:
        """Take note of how much the actors of *actor_type* have parked, whoever has them."""
        self._directory.parked.counted(actor_type, size_bytes)

    def waits(self, change: int) -> None:
        """Count *change* more (or fewer) turns as waiting for somebody else's answer."""
        self._lanes.exempt(change)
        if change > 0:
            self._relief.waits()
        self._start_runner()

    def ends_with(self, error: BaseException) -> bool:
        """Return whether *error* ends the worker, and is not the fault of the code that ran."""
        if isinstance(error, asyncio.CancelledError) and not self._closing:
            # A method that cancelled its own task: the runner goes on and must not stay cancelled.
            task = asyncio.current_task()
            while task is not None and task.cancelling():
                task.uncancel()
            return False
        return isinstance(error, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit)

    def _named(self, envelope: Envelope) -> Envelope:
        if envelope.key:
            return envelope
        # A foreign envelope without a key: two that look alike are still two.
        return replace(envelope, message_id=self._services.clock.token())
