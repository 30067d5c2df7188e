"""What comes next in a run: decisions about its state, without I/O and without users' functions.

Invariant: after every move the top frame stands at a node, at the end of its flow, or there is none left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker_actors.flow.durable.plan import ROOT, Plan
from broker_actors.flow.durable.run import (
    CONCURRENCY,
    ITEMS_MAX,
    TRAIL_MAX,
    UNDO_MAX,
    Ended,
    Fan,
    Frame,
    Item,
    Progress,
    Report,
    Run,
    Status,
    Undo,
    Visited,
)
from broker_actors.flow.graph import Many


def entered(plan: Plan, run: Run, prep_res: Any) -> None:  # noqa: ANN401 - whatever `prep` returned
    """Go into the flow the run stands at, or into the outermost one, whose `prep` returned *prep_res*."""
    name = run.frames[-1].at if run.frames else ROOT
    flow = plan.node(name)
    given: Mapping[str, Any] = run.frames[-1].params if run.frames else flow.params
    frame = Frame(name, "", dict(given), prep_res)
    if flow.many is Many.ONE:
        frame.at = plan.start(name)
    else:
        frame.rounds = [{**given, **one} for one in prep_res]
        _next_round(plan, frame)
    run.frames.append(frame)


def left(plan: Plan, run: Run, action: Any) -> None:  # noqa: ANN401 - whatever `post` returned
    """Leave the flow whose `post` has returned *action*; the flow around it goes on, or nothing does."""
    frame = run.frames.pop()
    if run.frames:
        followed(plan, run, frame.flow, action)
    else:
        run.status, run.action = Status.DONE, action


def followed(plan: Plan, run: Run, name: str, action: Any) -> None:  # noqa: ANN401 - whatever `post` returned
    """Go on to what follows *name*, which was visited and returned *action*."""
    run.trail = [*run.trail, Visited(name, action)][-TRAIL_MAX:]
    run.visits += 1
    frame = run.frames[-1]
    frame.action = action
    frame.at = plan.following(frame.flow, name, action)
    if not frame.at:
        _next_round(plan, frame)
    run.attempt, run.is_prepared, run.prep = 0, False, None
    run.has_expired, run.fan, run.status = False, None, Status.RUNNING


def progress(run: Run, after: int) -> list[Progress]:
    """Return the visits whose numbers are greater than *after*, in order, none left out."""
    forgotten = run.visits - len(run.trail)
    found = [Progress(number, "") for number in range(after + 1, forgotten + 1)]
    for number, visited in enumerate(run.trail, forgotten + 1):
        if number > after:
            found.append(Progress(number, visited.node, visited.action))
    return found


def result_of_rounds(plan: Plan, frame: Frame) -> Any:  # noqa: ANN401 - whatever the last `post` returned
    """Return what the flow of *frame* gives its own `post`: the last action, None for a batch."""
    return frame.action if plan.node(frame.flow).many is Many.ONE else None


def remember_undo(run: Run, name: str, params: Mapping[str, Any], result: Any) -> None:  # noqa: ANN401 - of `exec`
    """Remember a visit that can be compensated.

    Raises:
        OverflowError: there are too many.

    """
    if len(run.undo) >= UNDO_MAX:
        raise OverflowError(f"{name}: a flow remembers at most {UNDO_MAX} visits to compensate")
    run.undo.append(Undo(name, dict(params), result))


def fanned(count: int, concurrency: int | None, lane_of: str) -> tuple[Fan, list[str]]:
    """Return a parallel batch and the lanes that are to work on it.

    Args:
        count: how many items `prep` returned.
        concurrency: the node's limit; None for 8.
        lane_of: the id of the flow, which begins those of its lanes.

    Raises:
        OverflowError: there are too many items.

    """
    if count > ITEMS_MAX:
        text = f"{count} items: a parallel batch of a durable flow has at most {ITEMS_MAX}"
        raise OverflowError(text)
    lanes = min(concurrency or CONCURRENCY, count)
    return Fan(count), [f"{lane_of}~{number}" for number in range(lanes)]


def dispatched(run: Run, lane: str) -> Item | None:
    """Return the item *lane* is to work on next, now taken; None if none is left."""
    fan, frame = run.fan, run.frames[-1]
    if fan is None or fan.following >= fan.count:
        return None
    index = fan.following
    fan.following += 1
    fan.running[lane] = index
    return Item(run.step, index, frame.at, frame.params, run.prep[index])


def reported(run: Run, report: Report) -> bool:
    """Take note of *report*; return whether it is news and not stale."""
    fan = run.fan
    if fan is None or report.step != run.step or fan.running.get(report.lane) != report.index:
        return False
    del fan.running[report.lane]
    if report.ended is Ended.DONE and run.status.goes_on:
        fan.results[str(report.index)] = report.value
    return True


def ending(run: Run, outcome: Status, error: str) -> dict[str, int]:
    """Begin to end a run that goes on.

    Returns:
        The lanes to stop first, each with the index of its item; none if the run could end now.

    """
    run.outcome, run.error = outcome, error
    busy = {} if run.fan is None else dict(run.fan.running)
    run.status = Status.STOPPING
    if not busy:
        stopped(run)
    return busy


def stopped(run: Run) -> None:
    """Go on to compensating, or end: nothing of the run works any more."""
    run.fan = None
    run.step += 1
    run.status = Status.COMPENSATING if run.undo else run.outcome or Status.FAILED


def compensated(run: Run, problem: str) -> None:
    """Take note that the latest visit to compensate was, or why it could not be."""
    run.undo.pop()
    run.step += 1
    if problem:
        run.uncompensated.append(problem)
    if not run.undo:
        run.status = run.outcome or Status.FAILED


def _next_round(plan: Plan, frame: Frame) -> None:
    """Begin the next round of a batch flow, if there is one; else leave the frame at its end."""
    # A flow without nodes has rounds in which nothing happens.
    start = plan.start(frame.flow)
    if frame.rounds and start:
        frame.params, frame.at = frame.rounds[0], start
        frame.rounds = frame.rounds[1:]
