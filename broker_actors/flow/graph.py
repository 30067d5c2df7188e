"""Nodes and how they are wired: what every node of a flow has.

Invariant: a node is a description. Running it happens on a shallow copy, one per visit, so that a node
may be visited again, in parallel with itself, and by several flows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias, TypeVar

from broker_actors.flow.pace import Inline, OnLoop, Pace, finish

#: The data of a run: whatever all nodes of a flow agree on, a dict as a rule.
Shared: TypeAlias = Any
#: What a user's function takes or returns, or an awaitable of it.
Value: TypeAlias = Any

DEFAULT_ACTION: Final = "default"
NodeT = TypeVar("NodeT", bound="BaseNode")


class Many(Enum):
    """How much a visit does: one thing, or many, one after the other or beside each other."""

    ONE = "one"
    IN_ORDER = "in order"
    PARALLEL = "parallel"


class Hooks(NamedTuple):
    """The functions of a node that one visit calls; each plain or async."""

    prep: Callable[[Shared], Value]
    exec: Callable[[Value], Value]
    fallback: Callable[[Value, Exception], Value]
    post: Callable[[Shared, Value, Value], Value]


class Visit(NamedTuple):
    """One visit of a node."""

    shared: Shared
    hooks: Hooks
    pace: Pace


class BaseNode:
    """A node: `prep` reads from the shared data, `exec` works, `post` writes and names the action.

    Each of the three is a plain or an async function.

    Attributes:
        params: what the flow around it was given; a batch flow sets them for each of its rounds.
        successors: the next node by action.
        start_node: where it begins, if it is a flow; None for one that does nothing.
        is_flow: whether it runs other nodes instead of an `exec`.
        many: whether `exec` takes what `prep` returns, or each item of it.
        label: what it is called in drawings and in durable flows; by default its class.

    """

    label: str = ""
    start_node: BaseNode | None = None
    is_flow: ClassVar[bool] = False
    many: ClassVar[Many] = Many.ONE
    _flow_class: ClassVar[str] = "Flow"

    def __init__(self) -> None:
        self.params: Mapping[str, Any] = {}
        self.successors: dict[str, BaseNode] = {}

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Replace the parameters."""
        self.params = params

    def next(self, node: NodeT, action: str = DEFAULT_ACTION) -> NodeT:
        """Make *node* what follows *action*, and return it. A flow does `a.next(b)` for `a >> b`."""
        if action in self.successors:
            warnings.warn(f"Overwriting successor for action '{action}'", stacklevel=2)
        self.successors[action] = node
        return node

    def __rshift__(self, other: NodeT) -> NodeT:
        """Make *other* what follows by default, and return it."""
        return self.next(other)

    def __sub__(self, action: str) -> Transition:
        """Return the transition of *action*, as in `a - "retry" >> b`."""
        # Whoever writes it without a type checker learns it here.
        if not isinstance(action, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("Action must be a string")
        return Transition(self, action)

    def prep(self, shared: Shared) -> Value:
        """Return what `exec` needs."""

    def exec(self, prep_res: Value) -> Value:
        """Do the work, without looking at the shared data."""

    def exec_fallback(self, prep_res: Value, exc: Exception) -> Value:  # noqa: ARG002 - for those who override
        """Return what stands in for the result when the last attempt has failed with *exc*."""
        raise exc

    def post(self, shared: Shared, prep_res: Value, exec_res: Value) -> Value:
        """Keep the result; return the action, None for the default one."""

    def run(self, shared: Shared) -> Value:
        """Run this node alone, without an event loop, and return what `post` returns.

        Raises:
            RuntimeError: one of its functions is async.

        """
        self._warn_of_successors()
        return finish(self.visit(shared, Inline()))

    async def run_async(self, shared: Shared) -> Value:
        """Run this node alone and return what `post` returns."""
        self._warn_of_successors()
        return await self.visit(shared, OnLoop())

    async def visit(self, shared: Shared, pace: Pace) -> Value:
        """Run all three functions at *pace*; what a flow calls, on a copy of the node."""
        visit = Visit(shared, self.hooks(pace), pace)
        prep_res = self.prepared(await pace.value(visit.hooks.prep(shared)))
        exec_res = await self.perform(visit, prep_res)
        return await pace.value(visit.hooks.post(shared, prep_res, exec_res))

    def hooks(self, pace: Pace) -> Hooks:  # noqa: ARG002 - async kinds have others for each pace
        """Return the functions a visit calls."""
        return Hooks(self.prep, self.exec, self.exec_fallback, self.post)

    def prepared(self, prep_res: Value) -> Value:
        """Return what becomes of the result of `prep` before it goes on to `exec` and `post`."""
        return prep_res

    async def perform(self, visit: Visit, prep_res: Value) -> Value:
        """Return what becomes of *prep_res*: here, what `exec` makes of it, called once."""
        return await visit.pace.value(visit.hooks.exec(prep_res))

    def _warn_of_successors(self) -> None:
        if self.successors:
            warnings.warn(f"Node won't run successors. Use {self._flow_class}.", stacklevel=3)


@dataclass(frozen=True, slots=True)
class Transition:
    """What `a - "action"` is, until `>> b` follows."""

    source: BaseNode
    action: str

    def __rshift__(self, target: NodeT) -> NodeT:
        """Make *target* what follows the action, and return it."""
        return self.source.next(target, self.action)
