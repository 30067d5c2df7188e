"""What is stored of a flow that runs. All of it is plain data, and bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

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
class Frame:
    """A flow under way: the outermost one, or one that is a node of the flow before it.

    Attributes:
        flow: its name; empty for the outermost.
        at: the node to visit; empty if only its `post` is left.
        params: what its nodes are given.
        prep: what its `prep` returned.
        rounds: parameters of the rounds to come.
        action: the last action.

    """

    flow: str
    at: str
    params: dict[str, Any]
    prep: Any = None
    rounds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    action: Any = None


@dataclass
class Fan:
    """A parallel batch under way.

    Attributes:
        count: how many items there are; they are what `prep` returned.
        results: of the items that have ended, by their index as text.
        running: the index of the item each busy lane works on, by the lane.
        following: the index of the item to start next.

    """

    count: int
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    running: dict[str, int] = field(default_factory=dict[str, int])
    following: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every item has its result."""
        return len(self.results) == self.count


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
class Run:
    """A run of a flow.

    Attributes:
        status: how it is.
        step: counts what was committed; a message about an earlier step is stale.
        frames: the flows under way, outermost first; empty before the first and after the last step.
        attempt: which attempt at the current node comes next, from 0.
        is_prepared: whether `prep` of the current node has run.
        prep: what it returned.
        has_expired: whether the current node has waited long enough.
        fan: the parallel batch under way.
        arrived: what promises were completed with, by node, until the node is visited.
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
    step: int = 0
    frames: list[Frame] = field(default_factory=list[Frame])
    attempt: int = 0
    is_prepared: bool = False
    prep: Any = None
    has_expired: bool = False
    fan: Fan | None = None
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

    @property
    def rests(self) -> bool:
        """Whether nothing happens until somebody outside does something."""
        is_waiting = self.status is Status.WAITING and self.at not in self.arrived and not self.has_expired
        return is_waiting or self.status is Status.NEW or self.status.has_ended

    @property
    def at(self) -> str:
        """The node it stands at; the flow whose `post` is left, if none; empty for neither."""
        return (self.frames[-1].at or self.frames[-1].flow) if self.frames else ""


@dataclass
class Item:
    """One item of a parallel batch, as it is sent to the lane that works on it."""

    step: int
    index: int
    node: str
    params: dict[str, Any]
    value: Any
    attempt: int = 0


class Ended(StrEnum):
    """What became of an item."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class Report:
    """What a lane says of its item, once."""

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
        promise: what would let it go on, if it waits for somebody.
        items: of a parallel batch under way, how many have ended.
        items_all: and how many there are.
        action: the last action, once it has ended well.
        error: why it failed or was cancelled.
        uncompensated: what could not be compensated, and why.

    """

    status: Status
    at: str = ""
    step: int = 0
    promise: str = ""
    items: int = 0
    items_all: int = 0
    action: Any = None
    error: str = ""
    uncompensated: list[str] = field(default_factory=list[str])
