"""One step of a run: the user's functions are called here, and the state of the run moved on.

Invariant: a step either moves the run on, or leaves it at the same node with what it needs to come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from broker_actors.core.address import Address
from broker_actors.flow.attempts import Attempts
from broker_actors.flow.durable import fans, moves
from broker_actors.flow.durable.compensation import can_be_compensated
from broker_actors.flow.durable.plan import ROOT, Plan
from broker_actors.flow.durable.run import Item, Run
from broker_actors.flow.durable.standstill import check_fits
from broker_actors.flow.durable.strand import Strand
from broker_actors.flow.graph import BaseNode, Many, Value, Visit
from broker_actors.flow.pace import OnLoop
from broker_actors.flow.waiting import Promise, Wait

#: Waits from here on are delayed messages; shorter ones happen in place.
DELAYED_SECONDS: Final = 1.0
_PACE: Final = OnLoop()


@dataclass(frozen=True, slots=True)
class Moved:
    """The run has moved on."""


@dataclass(frozen=True, slots=True)
class Again:
    """The same node comes next, after so many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Stands:
    """The run waits for somebody outside, at most so long."""

    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Fanned:
    """The run waits for these lanes."""

    lanes: list[str]


Stepped: TypeAlias = Moved | Again | Stands | Fanned


@dataclass(frozen=True, slots=True)
class Visitor:
    """Visits the nodes of one strand of a run.

    Attributes:
        plan: the flow.
        run: how far it is; changed.
        line: the way from the run to the strand; the last one is changed.
        shared: what the nodes share; changed.
        address: the actor's.

    """

    plan: Plan
    run: Run
    line: list[Strand]
    shared: dict[str, Any]
    address: Address

    @property
    def strand(self) -> Strand:
        """What is moved on."""
        return self.line[-1]

    async def step(self) -> Stepped:
        """Do what comes next.

        Raises:
            Exception: whatever a function of the user raises, for the last time.

        """
        strand = self.strand
        if not strand.frames:
            return await self._enter(self.plan.visited(ROOT, self.plan.flow.params))
        frame = strand.frames[-1]
        if not frame.at:
            return await self._leave()
        node = self.plan.visited(frame.at, frame.params)
        check_fits(frame.at, node, strand)
        if node.is_flow:
            return await self._enter(node)
        visit = self._visit(node)
        if not strand.is_prepared:
            strand.prep = await self._prepare(node, visit)
            strand.is_prepared = True
        # What lanes have begun they end, whatever kind of node another release has made of it.
        if strand.fan is None and isinstance(node, Wait):
            return await self._wait(node, visit)
        # A round has all of its work done by lanes: what one waits for holds up no other.
        if strand.fan is not None or len(self.line) > 1 or node.many is Many.PARALLEL:
            return await self._fan_out(node, visit)
        exec_res = await self._exec(node, visit)
        return exec_res if isinstance(exec_res, Again) else await self._post(node, visit, exec_res)

    def _visit(self, node: BaseNode) -> Visit:
        return Visit(self.shared, node.hooks(_PACE), _PACE)

    async def _prepare(self, node: BaseNode, visit: Visit) -> Value:
        if isinstance(node, Wait):
            node.promise = str(Promise(self.address, self.strand.at, self.strand.step))
        return node.prepared(await _PACE.value(visit.hooks.prep(self.shared)))

    async def _enter(self, flow: BaseNode) -> Moved:
        moves.entered(self.plan, self.strand, await self._prepare(flow, self._visit(flow)))
        return Moved()

    async def _leave(self) -> Moved:
        frames = self.strand.frames
        given = frames[-2].params if len(frames) > 1 else self.plan.flow.params
        flow = self.plan.visited(frames[-1].flow, given)
        result = moves.result_of_rounds(self.plan, frames[-1])
        action = await _PACE.value(self._visit(flow).hooks.post(self.shared, frames[-1].prep, result))
        moves.left(self.plan, self.run, self.strand, action)
        return Moved()

    async def _post(self, node: BaseNode, visit: Visit, exec_res: Value) -> Moved:
        frame = self.strand.frames[-1]
        action = await _PACE.value(visit.hooks.post(self.shared, self.strand.prep, exec_res))
        if can_be_compensated(node):
            moves.remember_undo(self.run, frame.at, frame.params, exec_res)
        moves.followed(self.plan, self.run, self.strand, frame.at, action)
        return Moved()

    async def _wait(self, node: Wait, visit: Visit) -> Moved | Stands:
        strand, arrived = self.strand, self.run.arrived
        for promise in (strand.here, strand.at):
            if promise in arrived:
                return await self._post(node, visit, arrived.pop(promise))
        if strand.has_expired:
            late = TimeoutError(f"nobody has completed {strand.at} within {node.timeout} seconds")
            return await self._post(node, visit, await _PACE.value(visit.hooks.fallback(strand.prep, late)))
        strand.is_waiting = True
        return Stands(node.timeout)

    async def _fan_out(self, node: BaseNode, visit: Visit) -> Moved | Fanned:
        strand, lanes = self.strand, list[str]()
        fan = strand.fan
        if fan is None:
            items, concurrency = None, None
            if isinstance(node, Attempts) and node.many is Many.PARALLEL:
                items, concurrency = list(node.items(strand.prep)), node.concurrency
            fan = fans.fanned(strand, items)
            lanes = fans.lanes_for(self.run, fan, concurrency, self.address.id)
        return await self._post(node, visit, fan.result) if fan.is_complete else Fanned(lanes)

    async def _exec(self, node: BaseNode, visit: Visit) -> Value:
        strand = self.strand
        if not isinstance(node, Attempts) or node.many is not Many.ONE or node.wait < DELAYED_SECONDS:
            return await node.perform(visit, strand.prep)
        exec_res = await attempt(node, visit, strand.prep, strand.attempt)
        strand.attempt += isinstance(exec_res, Again)
        return exec_res


async def attempt(node: Attempts, visit: Visit, prep_res: Value, number: int) -> Value:
    """Return the result of the attempt *number*, what stands in for it, or `Again`."""
    if number >= node.max_retries:
        return None
    with node.attempting(number):
        try:
            return await node.tried_once(visit, prep_res)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
            if number + 1 < node.max_retries:
                return Again(node.wait)
            return await _PACE.value(visit.hooks.fallback(prep_res, error))


async def work(plan: Plan, item: Item) -> Value:
    """Return the result of one item of a parallel batch, or of all that a node of a round does; or `Again`.

    Raises:
        AnotherReleaseError: there is no such node in this release.
        Exception: whatever `exec` raises at its last attempt.

    """
    node = plan.visited(item.node, item.params)
    check_fits(item.node, node, Strand(is_prepared=True))
    visit = Visit({}, node.hooks(_PACE), _PACE)
    if not isinstance(node, Attempts) or (item.is_whole and node.many is not Many.ONE):
        return await node.perform(visit, item.value)
    if node.wait >= DELAYED_SECONDS:
        return await attempt(node, visit, item.value, item.attempt)
    return await node.tried(visit, item.value)
