"""The position of a run: which node comes next, in which flows, in how many rounds at once.

All of it is plain data that is stored. Invariant: what moves is a leaf, a strand without others beside
each other in it, and every message about one names its step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Frame:
    """A flow under way: the outermost one, or one that is a node of the flow before it.

    Attributes:
        flow: its name; empty for the outermost.
        at: the node to visit; empty if only its `post` is left.
        params: what its nodes are given.
        prep: what its `prep` returned.
        rounds: parameters of the rounds to come.
        count: how many rounds there are in all, if they run beside each other.
        action: the last action.

    """

    flow: str
    at: str
    params: dict[str, Any]
    prep: Any = None
    rounds: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    count: int = 0
    action: Any = None


@dataclass
class Fan:
    """The work of one node that lanes do: the items of a parallel batch, or all of it as one item.

    Attributes:
        count: how many items there are; they are what `prep` returned.
        is_whole: whether the only item is what `prep` returned, and its result that of the node.
        results: of the items that have ended, by their index as text.
        running: the index of the item each busy lane works on, by the lane.
        following: the index of the item to start next.

    """

    count: int
    is_whole: bool = False
    results: dict[str, Any] = field(default_factory=dict[str, Any])
    running: dict[str, int] = field(default_factory=dict[str, int])
    following: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every item has its result."""
        return len(self.results) == self.count

    @property
    def result(self) -> Any:  # noqa: ANN401 - whatever `exec` returned
        """What the node has for a result; of a batch that is not complete, the items that have one."""
        if self.is_whole:
            return self.results["0"]
        return [self.results[key] for key in map(str, range(self.count)) if key in self.results]


@dataclass(kw_only=True)
class Strand:
    """One line of nodes that follow each other: a run, or a round of a parallel batch flow in it.

    Attributes:
        step: which step comes next; a message about another one is stale. No two strands have the same.
        frames: the flows under way, outermost first; empty before the first and after the last step.
        attempt: which attempt at the current node comes next, from 0.
        is_prepared: whether `prep` of the current node has run.
        prep: what it returned.
        is_waiting: whether it stands still until somebody completes its promise.
        has_expired: whether the current node has waited long enough.
        fan: what lanes do for the current node.
        beside: the rounds under way of the parallel batch flow it stands at.
        problem: why it cannot go on in the release that looked last; see `standstill.py`.

    """

    step: int = 0
    frames: list[Frame] = field(default_factory=list[Frame])
    attempt: int = 0
    is_prepared: bool = False
    prep: Any = None
    is_waiting: bool = False
    has_expired: bool = False
    fan: Fan | None = None
    beside: list[Strand] = field(default_factory=list["Strand"])
    problem: str = ""

    @property
    def at(self) -> str:
        """The node it stands at; the flow whose rounds or `post` are left, if none; empty for neither."""
        return (self.frames[-1].at or self.frames[-1].flow) if self.frames else ""

    @property
    def here(self) -> str:
        """The promise of this visit, as `Run.arrived` has it."""
        return f"{self.at}@{self.step}"

    @property
    def items(self) -> tuple[int, int] | None:
        """How many items, or rounds beside each other, have ended, and of how many; None for neither."""
        if self.fan is not None and not self.fan.is_whole:
            return len(self.fan.results), self.fan.count
        if self.beside:
            frame = self.frames[-1]
            return frame.count - len(frame.rounds) - len(self.beside), frame.count
        return None

    def strands(self) -> Iterator[Strand]:
        """Yield itself, its rounds, and theirs."""
        yield self
        for strand in self.beside:
            yield from strand.strands()

    def leaves(self) -> Iterator[Strand]:
        """Yield what of it moves: itself, or its rounds, or theirs."""
        return (strand for strand in self.strands() if not strand.beside)

    def line(self, step: int) -> list[Strand]:
        """Return the way from it to the one that *step* is of, both included; empty if that is over."""
        if not self.beside:
            return [self] if self.step == step else []
        for strand in self.beside:
            if inner := strand.line(step):
                return [self, *inner]
        return []
