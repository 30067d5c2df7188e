"""One step of a run: the user's functions are called here, and the state of the run moved on.

Invariant: a step either moves the run on, or leaves it at the same node with what it needs to come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from broker_actors.core.address import Address
from broker_actors.flow.attempts import Attempts
from broker_actors.flow.durable import moves
from broker_actors.flow.durable.plan import ROOT, Plan
from broker_actors.flow.durable.run import Fan, Item, Run
from broker_actors.flow.graph import BaseNode, Many, Value, Visit
from broker_actors.flow.pace import OnLoop
from broker_actors.flow.waiting import Promise, Wait

#: Waits from here on are delayed messages; shorter ones happen in place.
DELAYED_SECONDS: Final = 1.0
_PACE: Final = OnLoop()


@runtime_checkable
class Compensates(Protocol):
    """A node whose completed visits can be compensated when the flow fails or is cancelled later."""

    def compensate(self, shared: Any, exec_res: Any) -> Any:  # noqa: ANN401 - as in any node
        """Take back what the visit that had *exec_res* for a result has done; plain or async."""
        ...


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
    """Visits the nodes of one run.

    Attributes:
        plan: the flow.
        run: how far it is; changed.
        shared: what the nodes share; changed.
        address: the actor's.

    """

    plan: Plan
    run: Run
    shared: dict[str, Any]
    address: Address

    async def step(self) -> Stepped:
        """Do what comes next.

        Raises:
            Exception: whatever a function of the user raises, for the last time.

        """
        run = self.run
        if not run.frames:
            return await self._enter(self.plan.visited(ROOT, self.plan.flow.params))
        frame = run.frames[-1]
        if not frame.at:
            return await self._leave()
        node = self.plan.visited(frame.at, frame.params)
        if node.is_flow:
            return await self._enter(node)
        visit = self._visit(node)
        if not run.is_prepared:
            run.prep = await self._prepare(node, visit)
            run.is_prepared = True
        if isinstance(node, Wait):
            return await self._wait(node, visit)
        if isinstance(node, Attempts):
            if node.many is Many.PARALLEL:
                return await self._fan_out(node, visit)
            if node.many is Many.ONE and node.wait >= DELAYED_SECONDS:
                return await self._try(node, visit)
        return await self._post(node, visit, await node.perform(visit, run.prep))

    def _visit(self, node: BaseNode) -> Visit:
        return Visit(self.shared, node.hooks(_PACE), _PACE)

    async def _prepare(self, node: BaseNode, visit: Visit) -> Value:
        if isinstance(node, Wait):
            node.promise = str(Promise(self.address, self.run.at, self.run.step))
        return node.prepared(await _PACE.value(visit.hooks.prep(self.shared)))

    async def _enter(self, flow: BaseNode) -> Moved:
        moves.entered(self.plan, self.run, await self._prepare(flow, self._visit(flow)))
        return Moved()

    async def _leave(self) -> Moved:
        frame = self.run.frames[-1]
        given = self.run.frames[-2].params if len(self.run.frames) > 1 else self.plan.flow.params
        flow = self.plan.visited(frame.flow, given)
        result = moves.result_of_rounds(self.plan, frame)
        action = await _PACE.value(self._visit(flow).hooks.post(self.shared, frame.prep, result))
        moves.left(self.plan, self.run, action)
        return Moved()

    async def _post(self, node: object, visit: Visit, exec_res: Value) -> Moved:
        run, frame = self.run, self.run.frames[-1]
        action = await _PACE.value(visit.hooks.post(self.shared, run.prep, exec_res))
        if isinstance(node, Compensates):
            moves.remember_undo(run, frame.at, frame.params, exec_res)
        moves.followed(self.plan, run, frame.at, action)
        return Moved()

    async def _wait(self, node: Wait, visit: Visit) -> Moved | Stands:
        run = self.run
        if run.at in run.arrived:
            return await self._post(node, visit, run.arrived.pop(run.at))
        if run.has_expired:
            late = TimeoutError(f"nobody has completed {run.at} within {node.timeout} seconds")
            return await self._post(node, visit, await _PACE.value(visit.hooks.fallback(run.prep, late)))
        return Stands(node.timeout)

    async def _fan_out(self, node: Attempts, visit: Visit) -> Moved | Fanned:
        run, lanes = self.run, list[str]()
        if run.fan is None:
            items = list(node.items(run.prep))
            run.fan, lanes = moves.fanned(len(items), node.concurrency, self.address.id)
            run.prep = items or run.prep
        if not run.fan.is_complete:
            return Fanned(lanes)
        return await self._post(node, visit, _results(run.fan))

    async def _try(self, node: Attempts, visit: Visit) -> Moved | Again:
        exec_res = await attempt(node, visit, self.run.prep, self.run.attempt)
        if isinstance(exec_res, Again):
            self.run.attempt += 1
            return exec_res
        return await self._post(node, visit, exec_res)


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
    """Return the result of one item of a parallel batch, or `Again`.

    Raises:
        Exception: whatever `exec` raises at its last attempt.

    """
    node = plan.visited(item.node, item.params)
    visit = Visit({}, node.hooks(_PACE), _PACE)
    if not isinstance(node, Attempts):
        return await _PACE.value(visit.hooks.exec(item.value))
    if node.wait >= DELAYED_SECONDS:
        return await attempt(node, visit, item.value, item.attempt)
    return await node.tried(visit, item.value)


async def compensate(plan: Plan, run: Run, shared: dict[str, Any]) -> str:
    """Compensate the latest visit that can be; return why it could not be, or nothing."""
    undo = run.undo[-1]
    node = plan.visited(undo.node, undo.params)
    if not isinstance(node, Compensates):
        return f"{undo.node}: it cannot be compensated any more"
    attempts = node.max_retries if isinstance(node, Attempts) else 1
    problem = ""
    for number in range(max(1, attempts)):
        try:
            await _PACE.value(node.compensate(shared, undo.result))
        except Exception as error:  # noqa: BLE001 - what cannot be taken back is reported, and the rest goes on
            problem = f"{undo.node}: {type(error).__name__}: {error}"
            if number + 1 < attempts and isinstance(node, Attempts):
                await _PACE.sleep(node.wait)
        else:
            return ""
    return problem


def _results(fan: Fan) -> list[Value]:
    return [fan.results[str(index)] for index in range(fan.count)]
