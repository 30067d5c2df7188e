"""The rounds of a parallel batch flow: strands beside each other, and where they come together again.

Decisions only, as in `moves.py`. Invariant: no more rounds are under way than may be, and the flow they
are of goes on when the last of them has ended.
"""

from __future__ import annotations

from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import CONCURRENCY, Run, Status
from broker_actors.flow.durable.strand import Frame, Strand
from broker_actors.flow.flows import Graph


def following(plan: Plan, run: Run, line: list[Strand]) -> list[Strand]:
    """Return the strands that go on, each with a step of its own, after the last one of *line* has moved.

    Args:
        plan: the flow.
        run: how far it is; how it is now is noted.
        line: the way from the run to the strand that has moved.

    """
    going = _going(plan, line) if run.status.goes_on else []
    run.step += 0 if going else 1
    for strand in going:
        run.step += 1
        strand.step = run.step
    note_waits(run)
    return going


def note_waits(run: Run) -> None:
    """Let the run wait if nothing of it goes on by itself."""
    if run.status.goes_on:
        waits = all(strand.is_waiting for strand in run.leaves())
        run.status = Status.WAITING if waits else Status.RUNNING


def _going(plan: Plan, line: list[Strand]) -> list[Strand]:
    strand = line[-1]
    started = _started(plan, strand)
    if started:
        return started
    if len(line) == 1 or not _has_ended(strand):
        return [] if strand.beside else [strand]
    around = line[-2]
    # Not by `remove`, which would take another one that is equal.
    around.beside = [one for one in around.beside if one is not strand]
    if around.beside:
        return _started(plan, around)
    # It may begin another round, or go on behind the last one.
    return _started(plan, around) or [around]


def _started(plan: Plan, strand: Strand) -> list[Strand]:
    """Return the rounds that begin now in the parallel batch flow *strand* stands at."""
    frame = strand.frames[-1]
    if frame.at or not frame.rounds:
        return []
    start, graph = plan.start(frame.flow), plan.node(frame.flow)
    if not start:
        frame.rounds = []  # nothing happens in them
        return []
    limit = (graph.concurrency if isinstance(graph, Graph) else None) or CONCURRENCY
    count = max(0, limit - len(strand.beside))
    started = [Strand(frames=[Frame(frame.flow, start, params)]) for params in frame.rounds[:count]]
    frame.rounds = frame.rounds[count:]
    strand.beside += started
    return started


def _has_ended(strand: Strand) -> bool:
    """Whether *strand*, which is a round, is at its end."""
    return len(strand.frames) == 1 and not strand.frames[0].at
