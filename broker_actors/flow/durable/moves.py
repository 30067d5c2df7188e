"""What comes next in a strand: decisions about its state, without I/O and without users' functions.

Invariant: after every move the top frame stands at a node, at the end of its flow, or there is none left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker_actors.flow.durable.plan import ROOT, Plan
from broker_actors.flow.durable.run import (
    TRAIL_MAX,
    UNDO_MAX,
    Progress,
    Run,
    Status,
    Undo,
    Visited,
)
from broker_actors.flow.durable.strand import Frame, Strand
from broker_actors.flow.graph import Many


def entered(plan: Plan, strand: Strand, prep_res: Any) -> None:  # noqa: ANN401 - whatever `prep` returned
    """Go into the flow *strand* stands at, or into the outermost one, whose `prep` returned *prep_res*."""
    name = strand.frames[-1].at if strand.frames else ROOT
    flow = plan.node(name)
    given: Mapping[str, Any] = strand.frames[-1].params if strand.frames else flow.params
    frame = Frame(name, "", dict(given), prep_res)
    if flow.many is Many.ONE:
        frame.at = plan.start(name)
    else:
        frame.rounds = [{**given, **one} for one in prep_res]
        if flow.many is Many.PARALLEL:
            frame.count = len(frame.rounds)
        else:
            _next_round(plan, frame)
    strand.frames.append(frame)


def left(plan: Plan, run: Run, strand: Strand, action: Any) -> None:  # noqa: ANN401 - whatever `post` returned
    """Leave the flow whose `post` has returned *action*; the flow around it goes on, or nothing does."""
    frame = strand.frames.pop()
    if strand.frames:
        followed(plan, run, strand, frame.flow, action)
    else:
        run.status, run.action = Status.DONE, action


def followed(plan: Plan, run: Run, strand: Strand, name: str, action: Any) -> None:  # noqa: ANN401 - see `left`
    """Go on to what follows *name*, which was visited and returned *action*."""
    run.trail = [*run.trail, Visited(name, action)][-TRAIL_MAX:]
    run.visits += 1
    frame = strand.frames[-1]
    frame.action = action
    frame.at = plan.following(frame.flow, name, action)
    if not frame.at:
        _next_round(plan, frame)
    strand.attempt, strand.is_prepared, strand.prep = 0, False, None
    strand.is_waiting, strand.has_expired, strand.fan = False, False, None


def progress(run: Run, after: int) -> list[Progress]:
    """Return the visits whose numbers are greater than *after*, in order, none left out."""
    forgotten = run.visits - len(run.trail)
    found = [Progress(number, "") for number in range(after + 1, forgotten + 1)]
    for number, visited in enumerate(run.trail, forgotten + 1):
        if number > after:
            found.append(Progress(number, visited.node, visited.action))
    return found


def marks(run: Run) -> dict[str, str]:
    """Return the names of where *run* stands, each with how much has ended of what runs beside each other."""
    found: dict[str, str] = {}
    for strand in run.strands():
        if strand.at:
            notes = [found.get(strand.at, ""), "{} of {}".format(*strand.items) if strand.items else ""]
            found[strand.at] = ", ".join(filter(None, notes))
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


def compensated(run: Run, problem: str) -> None:
    """Take note that the latest visit to compensate was, or why it could not be."""
    run.undo.pop()
    run.step += 1
    run.problem = ""
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
