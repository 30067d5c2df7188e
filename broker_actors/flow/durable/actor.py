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
from broker_actors.flow.durable import fans, moves, rounds
from broker_actors.flow.durable.compensation import compensate
from broker_actors.flow.durable.fans import LANE
from broker_actors.flow.durable.interrupts import InterruptedRunError
from broker_actors.flow.durable.lane import ERROR_CHARACTERS_MAX, Lane, text_of
from broker_actors.flow.durable.news import News
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.promises import awaited
from broker_actors.flow.durable.run import Ended, Progress, Report, Run, Standing, Status
from broker_actors.flow.durable.standstill import AnotherReleaseError, pause_seconds
from broker_actors.flow.durable.strand import Strand
from broker_actors.flow.durable.visiting import Again, Fanned, Moved, Stands, Stepped, Visitor
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.waiting import Promise, read_visit

_LANE_CHARACTERS: Final = 5
#: Of what is kept about a visit that could not be compensated; there may be many.
PROBLEM_CHARACTERS_MAX: Final = 500
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
        except ConfigurationError as error:
            raise BusinessError("no_promise", str(error)) from error
        node = awaited(self._plan, self.run, name)
        if not self.run.status.goes_on:
            raise BusinessError("not_running", f"the flow is {self.run.status.value}")
        called = next((one for one in self.run.waiting if one.at == name and visit in {0, one.step}), None)
        if visit and called is None and f"{name}@{visit}" not in self.run.arrived:
            raise BusinessError("promise_over", f"the flow does not wait at {promise} any more")
        accepted = node.accept(value)
        if called is not None:
            self.run.arrived[called.here] = accepted
            await self._me().advance.tell(called.step)
        elif visit or self.run.is_answered(name):
            raise BusinessError("already_completed", f"{name} was completed before")
        else:
            self.run.arrived[name] = accepted

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
            problem="; ".join(run.problems),
        )
        address = turn.current().address
        standing.promises = [str(Promise(address, one.at, one.step)) for one in run.waiting]
        standing.promise = next(iter(standing.promises), "")
        standing.items, standing.items_all = run.items or (0, 0)
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
        """Return the flow as a Mermaid flowchart that shows where the run stands, and how far."""
        return drawn(self._plan.flow, moves.marks(self.run))

    # --- between the flow, its lanes and itself ------------------------------

    @method
    async def advance(self, step: int, looks: int = 0) -> None:
        """Do the step with this number, if it is still to be done; *looks* at it were in vain so far."""
        if self.run.status.goes_on:
            await self._move(step, looks)
        elif self.run.status is Status.COMPENSATING and step == self.run.step:
            await self._compensate(looks)

    @method
    async def expire(self, step: int) -> None:
        """Let the wait of this step be over, if it still waits."""
        line = self.run.line(step) if self.run.status.goes_on else []
        if line and line[-1].is_waiting:
            line[-1].has_expired = True
            await self._move(step)

    @method.options(interleave=True)
    async def halt(self, outcome: Status, reason: str) -> None:
        """End the run with *outcome*, also what runs just now."""
        await self._halt(outcome, reason)

    @method
    async def end(self, outcome: Status, reason: str) -> None:
        """End the run with *outcome*, if it still goes on; if it is to end already, see to it."""
        if self.run.status.goes_on:
            await self._end(outcome, reason)
        elif self.run.status is Status.STOPPING:
            # A lane that died meanwhile works on its item once more.
            await self._stop(fans.busy(self.run))

    @method
    async def reported(self, report: Report) -> None:
        """Take what a lane reports of its item."""
        strand = fans.reported(self.run, report)
        if strand is None:
            return
        problem = self._unstorable(strand, report)
        if self.run.status is Status.STOPPING:
            if not fans.busy(self.run):
                fans.stopped(self._plan, self.run)
                await self._go_on()
        elif report.ended is not Ended.DONE or problem:
            await self._end(Status.FAILED, report.error or problem)
        elif strand.fan is not None and strand.fan.is_complete:
            await self._me().advance.tell(strand.step)
        else:
            await self._dispatch(strand, report.lane)

    # --- what they do ---------------------------------------------------------

    async def _move(self, step: int, looks: int = 0) -> None:
        line = self.run.line(step)
        if not line:
            return
        at = line[-1].at
        visitor = Visitor(self._plan, self.run, line, self.shared, turn.current().address)
        line[-1].problem = ""
        # A node that fails leaves nothing of what it did to either.
        before = copy.deepcopy((self.run, self.shared))
        try:
            with turn.current().all_or_nothing():
                stepped = await self._interrupts.guard(visitor.step())
                _check_storable(self.run, self.shared)
        except InterruptedRunError:
            self.run, self.shared = before
            await self._end(self._interrupts.outcome, self._interrupts.reason)
            return
        except AnotherReleaseError as error:
            self.run, self.shared = before
            await self._hold_up(step, error, looks)
            return
        except Exception as error:  # noqa: BLE001 - whatever a node raises ends its flow, as it does in one process
            self.run, self.shared = before
            await self._end(Status.FAILED, text_of(at, error))
            return
        self.run.moved_ms = _now_ms()
        await self._after(stepped, line)

    async def _after(self, stepped: Stepped, line: list[Strand]) -> None:
        strand = line[-1]
        match stepped:
            case Moved():
                for following in rounds.following(self._plan, self.run, line):
                    await self._me().advance.tell(following.step)
                self._news.tell()
            case Again(after_seconds):
                await self._me().advance.tell_after(after_seconds, strand.step)
            case Stands(timeout_seconds):
                rounds.note_waits(self.run)
                self._news.tell()
                if timeout_seconds is not None:
                    await self._me().expire.tell_after(timeout_seconds, strand.step)
            case Fanned(lanes):
                for lane in lanes:
                    await self._dispatch(strand, lane)

    def _unstorable(self, strand: Strand, report: Report) -> str:
        """Return why the result in *report* cannot be stored, and forget it; nothing if it can."""
        try:
            _check_storable(self.run, self.shared)
        except (TypeError, PayloadTooLargeError) as error:
            problem = text_of(strand.at, error)
            if strand.fan is not None and strand.fan.results.pop(str(report.index), None) is not None:
                self.run.uncompensated.append(f"{strand.at} item {report.index}: its result is not known")
            return problem
        return ""

    async def _go_on(self) -> None:
        self._news.tell()
        if not self.run.status.has_ended:
            await self._me().advance.tell(self.run.step)

    async def _dispatch(self, strand: Strand, lane: str) -> None:
        item = fans.dispatched(strand, lane)
        if item is not None:
            await self._at(lane).work.tell(item)

    async def _end(self, outcome: Status, error: str) -> None:
        await self._stop(fans.ending(self._plan, self.run, outcome, error[:ERROR_CHARACTERS_MAX]))
        if self.run.status is not Status.STOPPING:
            await self._go_on()

    async def _stop(self, busy: list[fans.Busy]) -> None:
        for one in busy:
            await self._at(one.lane).stop_item.tell(one.step, one.index)

    async def _hold_up(self, step: int, error: AnotherReleaseError, looks: int) -> None:
        self.run.line(step)[-1].problem = str(error)[:ERROR_CHARACTERS_MAX]
        await self._me().advance.tell_after(pause_seconds(looks), step, looks + 1)

    async def _compensate(self, looks: int) -> None:
        before = copy.deepcopy(self.shared)
        undo = self.run.undo[-1]
        try:
            problem = await compensate(self._plan, undo, self.shared)
        except AnotherReleaseError as error:
            await self._hold_up(self.run.step, error, looks)
            return
        try:
            _check_storable(self.run, self.shared)
        except (TypeError, PayloadTooLargeError) as error:
            problem = text_of(undo.node, error)
        if problem:
            self.shared = before
        moves.compensated(self.run, problem[:PROBLEM_CHARACTERS_MAX])
        await self._go_on()

    async def _halt(self, outcome: Status, reason: str) -> None:
        # The message makes it durable; until it is read, the interrupted turn has done the same.
        await self._me().end.tell(outcome.value, reason)
        if self.run.status is not Status.NEW:
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
