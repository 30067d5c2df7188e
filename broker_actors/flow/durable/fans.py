"""What lanes do for a run: which item goes to which lane, what they report, and ending it all.

Decisions only, as in `moves.py`. Invariant: a lane has one item at a time, and no two strands share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker_actors.flow.durable.compensation import can_be_compensated
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import CONCURRENCY, ITEMS_MAX, Ended, Item, Report, Run, Status, Undo
from broker_actors.flow.durable.standstill import AnotherReleaseError
from broker_actors.flow.durable.strand import Fan, Strand

#: Behind it is the number of a lane, in its id.
LANE: Final = "~"
#: At once: fewer than one turn may tell, which begins or stops all of them.
LANES_MAX: Final = 900


@dataclass(frozen=True, slots=True)
class Busy:
    """A lane, and which item it works on."""

    lane: str
    step: int
    index: int


def fanned(strand: Strand, items: list[object] | None) -> Fan:
    """Let lanes work on *items*; without any given, let one do all of the work of the node.

    Raises:
        OverflowError: there are too many.

    """
    if items is None:
        strand.fan = Fan(1, is_whole=True)
    elif len(items) > ITEMS_MAX:
        text = f"{len(items)} items: a parallel batch of a durable flow has at most {ITEMS_MAX}"
        raise OverflowError(text)
    else:
        strand.fan, strand.prep = Fan(len(items)), items or strand.prep
    return strand.fan


def lanes_for(run: Run, fan: Fan, concurrency: int | None, lane_of: str) -> list[str]:
    """Return the lanes that are to work on *fan*, none of them busy.

    Args:
        run: whose lanes they are.
        fan: what they are to work on.
        concurrency: the node's limit; None for 8.
        lane_of: the id of the flow, which begins those of its lanes.

    Raises:
        OverflowError: too many are busy.

    """
    taken = {one.lane for one in busy(run)}
    if fan.count and len(taken) >= LANES_MAX:
        raise OverflowError(f"{LANES_MAX} items run at once; lower the `concurrency` of rounds or items")
    count = min(concurrency or CONCURRENCY, fan.count, LANES_MAX - len(taken))
    numbers = range(len(taken) + count)
    free = [lane for number in numbers if (lane := f"{lane_of}{LANE}{number}") not in taken]
    return free[:count]


def dispatched(strand: Strand, lane: str) -> Item | None:
    """Return the item *lane* is to work on next, now taken; None if none is left."""
    fan, frame = strand.fan, strand.frames[-1]
    if fan is None or fan.following >= fan.count:
        return None
    index = fan.following
    fan.following += 1
    fan.running[lane] = index
    value = strand.prep if fan.is_whole else strand.prep[index]
    return Item(strand.step, index, frame.at, frame.params, value, is_whole=fan.is_whole)


def reported(run: Run, report: Report) -> Strand | None:
    """Take note of *report*; return the strand in which something has ended, None if nothing has."""
    line = run.line(report.step)
    strand = line[-1] if line else None
    fan = strand.fan if strand is not None else None
    if strand is None or fan is None or fan.running.get(report.lane) != report.index:
        return None
    strand.problem = report.error if report.ended is Ended.HELD_UP else ""
    if strand.problem:
        return None
    del fan.running[report.lane]
    if report.ended is Ended.DONE:
        # Also if the run is to end: what was done may have to be compensated.
        fan.results[str(report.index)] = report.value
    return strand


def busy(run: Run) -> list[Busy]:
    """Return the lanes that work for *run*."""
    return [
        Busy(lane, strand.step, index)
        for strand in run.leaves()
        if strand.fan is not None
        for lane, index in strand.fan.running.items()
    ]


def ending(plan: Plan, run: Run, outcome: Status, error: str) -> list[Busy]:
    """Begin to end a run that goes on; return what is to be stopped first, nothing if it could end now."""
    run.outcome, run.error = outcome, error
    run.status = Status.STOPPING
    running = busy(run)
    if not running:
        stopped(plan, run)
    return running


def stopped(plan: Plan, run: Run) -> None:
    """Go on to compensating, or end: nothing of the run works any more."""
    for strand in run.leaves():
        _remember_results(plan, run, strand)
        strand.fan = None
    run.beside, run.problem = [], ""
    run.step += 1
    run.status = Status.COMPENSATING if run.undo else run.outcome or Status.FAILED


def _remember_results(plan: Plan, run: Run, strand: Strand) -> None:
    """Remember what lanes have done for a node that will not get on to its `post`."""
    if strand.fan is None or not strand.fan.results:
        return
    name, params = strand.at, strand.frames[-1].params
    try:
        is_wanted = can_be_compensated(plan.node(name))
    except AnotherReleaseError:
        is_wanted = True  # who knows; the release that has the node does
    if is_wanted:
        run.undo.append(Undo(name, params, strand.fan.result))
