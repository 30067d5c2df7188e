"""What is stored of a flow that runs. All of it is plain data, and bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from broker_actors.flow.durable.strand import Strand

#: Visits that are remembered for whoever looks; the newest.
TRAIL_MAX: Final = 100
#: Visits that can be compensated.
UNDO_MAX: Final = 1_000
#: Items of one parallel batch.
ITEMS_MAX: Final = 1_000
#: Items that run at once where the node does not say.
CONCURRENCY: Final = 8


class Status(StrEnum):
    """How a flow is."""

    NEW = "new"
    RUNNING = "running"
    WAITING = "waiting"
    #: It is to end, and parts of it still run.
    STOPPING = "stopping"
    COMPENSATING = "compensating"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def goes_on(self) -> bool:
        """Whether nodes of the flow are still to be visited."""
        return self in {Status.RUNNING, Status.WAITING}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in {Status.DONE, Status.FAILED, Status.CANCELLED}


@dataclass
class Undo:
    """A completed visit that can be compensated."""

    node: str
    params: dict[str, Any]
    result: Any


@dataclass
class Visited:
    """A completed visit."""

    node: str
    action: Any


@dataclass
class Run(Strand):
    """A run of a flow: the outermost strand, and what is kept of all.

    Attributes:
        status: how it is.
        step: counts what was committed.
        arrived: what promises were completed with, by `Strand.here`; by node for a visit to come.
        undo: what can be compensated, oldest first.
        trail: the latest visits.
        visits: how many there were in all.
        outcome: how it will have ended once all is stopped and compensated.
        action: the last action of the whole flow.
        error: why it failed or was cancelled.
        uncompensated: what could not be compensated, and why.
        started_ms: Unix milliseconds of its start.
        moved_ms: Unix milliseconds of its latest step.

    """

    status: Status = Status.NEW
    arrived: dict[str, Any] = field(default_factory=dict[str, Any])
    undo: list[Undo] = field(default_factory=list[Undo])
    trail: list[Visited] = field(default_factory=list[Visited])
    visits: int = 0
    outcome: Status | None = None
    action: Any = None
    error: str = ""
    uncompensated: list[str] = field(default_factory=list[str])
    started_ms: int = 0
    moved_ms: int = 0

    def __post_init__(self) -> None:
        """Read what was stored when only a whole run could wait."""
        if self.status is Status.WAITING and not self.beside:
            self.is_waiting = True

    @property
    def waiting(self) -> list[Strand]:
        """What of it waits for somebody, and was not answered yet."""
        if not self.status.goes_on:
            return []
        return [strand for strand in self.leaves() if strand.is_waiting and not self._is_called(strand)]

    @property
    def problems(self) -> list[str]:
        """Why it, or a part of it, cannot go on in the release that looked last; each once."""
        return list(dict.fromkeys(strand.problem for strand in self.strands() if strand.problem))

    @property
    def rests(self) -> bool:
        """Whether nothing happens until somebody outside does something."""
        if self.status is Status.WAITING:
            return not any(map(self._is_called, self.leaves()))
        return self.status is Status.NEW or self.status.has_ended

    def is_answered(self, node: str) -> bool:
        """Whether there is an answer for *node* that it has not taken yet."""
        return any(promise.partition("@")[0] == node for promise in self.arrived)

    def _is_called(self, strand: Strand) -> bool:
        return strand.has_expired or strand.here in self.arrived


@dataclass
class Item:
    """One item of a parallel batch, or all that a node of a round does, as it is sent to the lane."""

    step: int
    index: int
    node: str
    params: dict[str, Any]
    value: Any
    attempt: int = 0
    is_whole: bool = False


class Ended(StrEnum):
    """What became of an item."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    #: It has not: the lane's release cannot go on with it. The lane looks again.
    HELD_UP = "held up"


@dataclass
class Report:
    """What a lane says of its item: once how it ended, and before that as often as it is held up."""

    step: int
    index: int
    lane: str
    ended: Ended
    value: Any = None
    error: str = ""


@dataclass
class Progress:
    """A completed visit, as whoever follows a run is told of it.

    Attributes:
        number: which visit of the run it was, from 1.
        node: the node's name; empty if the visit is no longer remembered.
        action: what its `post` returned.

    """

    number: int
    node: str
    action: Any = None


@dataclass
class Standing:
    """What there is to know of a run from outside.

    Attributes:
        status: how it is.
        at: the node it stands at; empty if it has ended well or not begun.
        step: how many steps it has taken.
        promise: what would let it go on, if it waits for somebody; one of them, if rounds wait beside
            each other.
        promises: all of them, also while other rounds go on.
        items: of a parallel batch or of rounds beside each other, how many have ended.
        items_all: and how many there are.
        action: the last action, once it has ended well.
        error: why it failed or was cancelled.
        uncompensated: what could not be compensated, and why.
        problem: why it cannot go on before another release of the flow is deployed; empty if it can.

    """

    status: Status
    at: str = ""
    step: int = 0
    promise: str = ""
    promises: list[str] = field(default_factory=list[str])
    items: int = 0
    items_all: int = 0
    action: Any = None
    error: str = ""
    uncompensated: list[str] = field(default_factory=list[str])
    problem: str = ""
