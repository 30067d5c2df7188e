"""The actor that a durable flow is: its messages, and what each leads to.

A run is moved on by messages to itself: `advance` does one step and, in the same commit, sends the next
one. A step that was not committed is delivered again. Invariant: while a run goes on there is a message
on its way that moves it, or somebody outside, or a lane, that owes it one.
"""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Final

from broker_actors.actor.handle import Handle
from broker_actors.actor.method import method
from broker_actors.actor.plain import simplify
from broker_actors.actor.turn import turn
from broker_actors.core import codec
from broker_actors.core.errors import (
    BusinessError,
    ConfigurationError,
    PayloadTooLargeError,
)
from broker_actors.flow.drawing import mermaid as drawn
from broker_actors.flow.durable import moves, visiting
from broker_actors.flow.durable.interrupts import InterruptedRunError
from broker_actors.flow.durable.lane import ERROR_CHARACTERS_MAX, LANE, Lane, text_of
from broker_actors.flow.durable.news import News
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Ended, Progress, Report, Run, Standing, Status
from broker_actors.flow.durable.visiting import Again, Fanned, Moved, Stands, Visitor
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.waiting import Promise, Wait, read_visit

_LANE_CHARACTERS: Final = 5
_ID_BYTES_MAX: Final = 170 - _LANE_CHARACTERS


class DurableFlow(Lane):
    """Runs a flow so that it survives its workers: decorate a subclass with `@actor` and name its flow.

    @actor
    class Documents(DurableFlow):
        flow = Flow(start=load)

    Attributes:
        flow: what is run, wired before the class is defined.
        flow_timeout: seconds after which a run that has not ended fails; None for never.
        shared: what the nodes share: plain values, and dicts and lists of them.
        run: how far it is.

    """

    flow: ClassVar[BaseNode]
    flow_timeout: ClassVar[float | None] = None

    shared: dict[str, Any]
    run: Run

    def __init_subclass__(cls, **options: object) -> None:
        """Name the nodes of the flow.

        Raises:
            ConfigurationError: there is no flow, or its nodes cannot be named.

        """
        super().__init_subclass__(**options)
        if issubclass(cls, Handle):
            return  # a ref has no flow
        flow: object = getattr(cls, "flow", None)
        if not isinstance(flow, BaseNode):
            raise ConfigurationError(
                f"{cls.__name__} needs a flow: write `flow = Flow(start=...)` in its class"
            )
        if "flow" in vars(cls):
            cls._plan = Plan(flow)

    def __init__(self) -> None:
        super().__init__()
        self.shared = {}
        self.run = Run()
        self._news = News()

    # --- for everybody ------------------------------------------------------

    @method
    async def start(self, shared: dict[str, Any] | None = None) -> None:
        """Begin to run with *shared*; return at once.

        Raises:
            BusinessError: `already_started`; `bad_id`, if no lane could be called after it.

        """
        here = turn.current().address.id
        if LANE in here or len(here.encode()) > _ID_BYTES_MAX:
            raise BusinessError("bad_id", f"the id of a flow has at most {_ID_BYTES_MAX} bytes and no {LANE}")
        if self.run.status is not Status.NEW:
            raise BusinessError(
                "already_started", f"{here} was started before: every run has an id of its own"
            )
        self.shared = dict(shared or {})
        now_ms = _now_ms()
        self.run = Run(Status.RUNNING, started_ms=now_ms, moved_ms=now_ms)
        await self._me().advance.tell(self.run.step)
        if self.flow_timeout is not None:
            text = f"it has not ended within {self.flow_timeout} seconds"
            await self._me().halt.tell_after(self.flow_timeout, Status.FAILED.value, text)

    @method
    async def complete(self, promise: str, value: Any = None) -> None:  # noqa: ANN401 - whatever a node waits for
        """Complete what a node waits for; before it waits is early enough.

        Args:
            promise: the node's name, or with the visit that is meant: `Approve@7`. A whole one will do.
            value: what `post` of the node gets.

        Raises:
            BusinessError: `not_running`, `no_promise`, `promise_over`, `already_completed`, or whatever the
                node's `accept` raises.

        """
        try:
            name, visit = read_visit(promise.removeprefix(f"{turn.current().address}#"))
            node = self._plan.node(name)
        except ConfigurationError as error:
            raise BusinessError("no_promise", str(error)) from error
        waits_here = self.run.status is Status.WAITING and self.run.at == name
        if not isinstance(node, Wait):
            raise BusinessError("no_promise", f"{name} waits for nobody")
        if not self.run.status.goes_on:
            raise BusinessError("not_running", f"the flow is {self.run.status.value}")
        if visit and not (waits_here and visit == self.run.step):
            raise BusinessError("promise_over", f"the flow does not wait at {promise} any more")
        accepted = node.accept(value)
        if name in self.run.arrived:
            raise BusinessError("already_completed", f"{name} was completed before")
        self.run.arrived[name] = accepted
        if waits_here:
            await self._me().advance.tell(self.run.step)

    @method.options(interleave=True)
    async def cancel(self, reason: str = "cancelled") -> None:
        """Stop what runs, now, and compensate what was completed. No error if it has ended."""
        await self._halt(Status.CANCELLED, reason)

    @method.options(interleave=True)
    def status(self) -> Standing:
        """Return how the run is, also while a node runs."""
        run = self.run
        standing = Standing(
            run.status,
            run.at,
            run.step,
            action=run.action,
            error=run.error,
            uncompensated=run.uncompensated,
        )
        if run.status is Status.WAITING:
            standing.promise = str(Promise(turn.current().address, run.at, run.step))
        if run.fan is not None:
            standing.items, standing.items_all = len(run.fan.results), run.fan.count
        return standing

    @method.options(interleave=True)
    def result(self) -> dict[str, Any]:
        """Return what the nodes share, as of the last step.

        Raises:
            BusinessError: `not_done`; its details have the status.

        """
        if self.run.status is not Status.DONE:
            status = self.run.status.value
            text = f"the flow is {status}" + (f": {self.run.error}" if self.run.error else "")
            raise BusinessError("not_done", text, {"status": status, "error": self.run.error})
        return self.shared

    @method.options(resumable=True)
    async def progress(self, after: int = 0) -> AsyncIterator[Progress]:
        """Yield each completed visit whose number is greater than *after*, as it is committed.

        Ends when nothing more happens by itself: the run has ended, waits for somebody, or was not started.
        """
        number = after + turn.current().resume_from
        while True:
            # A section sees the newest commit, and no step is under way meanwhile.
            async with turn():
                following, rests = self._news.latest(), self.run.rests
                visits = moves.progress(self.run, number)
            for visit in visits:
                number = visit.number
                yield visit
            if rests:
                return
            await self._news.wait(following)

    @method.options(interleave=True)
    def mermaid(self) -> str:
        """Return the flow as a Mermaid flowchart that shows where the run stands."""
        return drawn(self._plan.flow, self.run.at or None)

    # --- between the flow, its lanes and itself ------------------------------

    @method
    async def advance(self, step: int) -> None:
        """Do the step with this number, if it is still to be done."""
        if step != self.run.step:
            return
        if self.run.status.goes_on:
            await self._move()
        elif self.run.status is Status.COMPENSATING:
            await self._compensate()

    @method
    async def expire(self, step: int) -> None:
        """Let the wait of this step be over, if it still waits."""
        if step == self.run.step and self.run.status is Status.WAITING:
            self.run.has_expired = True
            await self._move()

    @method.options(interleave=True)
    async def halt(self, outcome: Status, reason: str) -> None:
        """End the run with *outcome*, also what runs just now."""
        await self._halt(outcome, reason)

    @method
    async def end(self, outcome: Status, reason: str) -> None:
        """End the run with *outcome*, if it still goes on."""
        if self.run.status.goes_on:
            await self._end(outcome, reason)

    @method
    async def reported(self, report: Report) -> None:
        """Take what a lane reports of its item."""
        if not moves.reported(self.run, report):
            return
        fan = self.run.fan
        if self.run.status is Status.STOPPING:
            if fan is not None and not fan.running:
                moves.stopped(self.run)
                await self._go_on()
        elif report.ended is not Ended.DONE:
            await self._end(Status.FAILED, report.error)
        elif problem := self._unstorable():
            await self._end(Status.FAILED, problem)
        elif fan is not None and fan.is_complete:
            await self._go_on()
        else:
            await self._dispatch(report.lane)

    # --- what they do ---------------------------------------------------------

    async def _move(self) -> None:
        visitor = Visitor(self._plan, self.run, self.shared, turn.current().address)
        # A node that fails leaves nothing of what it did to either.
        before = copy.deepcopy((self.run, self.shared))
        self._plan.node(self.run.at)
        try:
            stepped = await self._interrupts.guard(visitor.step())
            _check_storable(self.run, self.shared)
        except InterruptedRunError:
            self.run, self.shared = before
            await self._end(self._interrupts.outcome, self._interrupts.reason)
            return
        except Exception as error:  # noqa: BLE001 - whatever a node raises ends its flow, as it does in one process
            self.run, self.shared = before
            await self._end(Status.FAILED, text_of(self.run.at, error))
            return
        self.run.moved_ms = _now_ms()
        match stepped:
            case Moved():
                self.run.step += 1
                await self._go_on()
            case Again(after_seconds):
                await self._me().advance.tell_after(after_seconds, self.run.step)
            case Stands(timeout_seconds):
                self.run.status = Status.WAITING
                self._news.tell()
                if timeout_seconds is not None:
                    await self._me().expire.tell_after(timeout_seconds, self.run.step)
            case Fanned(lanes):
                for lane in lanes:
                    await self._dispatch(lane)

    def _unstorable(self) -> str:
        """Return why the results of a batch cannot be stored, and forget them; nothing if they can."""
        try:
            _check_storable(self.run, self.shared)
        except (TypeError, PayloadTooLargeError) as error:
            if self.run.fan is not None:
                self.run.fan.results.clear()
            return text_of(self.run.at, error)
        return ""

    async def _go_on(self) -> None:
        self._news.tell()
        if not self.run.status.has_ended:
            await self._me().advance.tell(self.run.step)

    async def _dispatch(self, lane: str) -> None:
        item = moves.dispatched(self.run, lane)
        if item is not None:
            await self._at(lane).work.tell(item)

    async def _end(self, outcome: Status, error: str) -> None:
        step = self.run.step
        for lane, index in moves.ending(self.run, outcome, error[:ERROR_CHARACTERS_MAX]).items():
            await self._at(lane).stop_item.tell(step, index)
        if self.run.status is not Status.STOPPING:
            await self._go_on()

    async def _compensate(self) -> None:
        before = copy.deepcopy(self.shared)
        problem = await visiting.compensate(self._plan, self.run, self.shared)
        if problem:
            self.shared = before
        moves.compensated(self.run, problem[:ERROR_CHARACTERS_MAX])
        await self._go_on()

    async def _halt(self, outcome: Status, reason: str) -> None:
        # The message makes it durable; until it is read, the interrupted turn has done the same.
        await self._me().end.tell(outcome.value, reason)
        self._interrupts.stop(outcome, reason)


def _check_storable(run: Run, shared: dict[str, Any]) -> None:
    """Refuse what the commit would refuse later, when there is nobody left to end the flow.

    Raises:
        TypeError: something has no plain form.
        PayloadTooLargeError: it is over the limit.

    """
    for what, value in (("shared", shared), ("what `prep` returned", run.prep), ("the run", run)):
        try:
            codec.encode(value, simplify=simplify, what=what)
        except TypeError as error:
            raise TypeError(f"{what}: {error}") from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
