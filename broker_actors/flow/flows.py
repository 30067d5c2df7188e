"""The kinds of flows: nodes run from a start, each action leading to the next.

A flow is a node: it has `prep` and `post`, the last action of its nodes is what `post` gets, and what
`post` returns selects what follows the flow in a flow around it. Its `exec` is never called.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from broker_actors.flow.drawing import mermaid
from broker_actors.flow.graph import DEFAULT_ACTION, BaseNode, Hooks, Many, NodeT, Shared, Value, Visit
from broker_actors.flow.pace import Pace


class Graph:
    """What all flows have.

    Attributes:
        start_node: where it begins; None for a flow that does nothing.
        many: whether the nodes run once, or once for each dict of parameters that `prep` returns.
        concurrency: rounds that run beside each other, if any do; None for 1,000.

    """

    params: Mapping[str, Any]
    many: ClassVar[Many]
    is_flow: ClassVar[bool] = True
    concurrency: int | None = None

    def __init__(self, start: BaseNode | None = None) -> None:
        super().__init__()
        self.start_node = start

    def start(self, start: NodeT) -> NodeT:
        """Make *start* the node where the flow begins, and return it."""
        self.start_node = start
        return start

    def get_next_node(self, curr: BaseNode, action: str | None) -> BaseNode | None:
        """Return what follows *curr* after *action*; None where the flow ends."""
        following = curr.successors.get(action or DEFAULT_ACTION)
        if following is None and curr.successors:
            warnings.warn(f"Flow ends: '{action}' not found in {list(curr.successors)}", stacklevel=2)
        return following

    def mermaid(self, current: BaseNode | str | None = None) -> str:
        """Return the flow as a Mermaid flowchart with *current* marked; see `drawing.mermaid`."""
        return mermaid(cast("BaseNode", self), current)

    def post(self, shared: Shared, prep_res: Value, exec_res: Value) -> Value:  # noqa: ARG002 - for those who override
        """Return the action of the whole flow; by default the last one of its nodes, *exec_res*."""
        return exec_res

    def prepared(self, prep_res: Value) -> Value:
        """Return the parameters of each round, none if `prep` returned None; or what it returned."""
        return prep_res if self.many is Many.ONE else prep_res or []

    async def perform(self, visit: Visit, prep_res: Value) -> Value:
        """Run the nodes, once or in rounds; return the last action if it was once."""
        if self.many is Many.ONE:
            return await self._walk(visit, {**self.params})
        rounds = [{**self.params, **given} for given in prep_res]
        if self.many is Many.PARALLEL:
            await visit.pace.each(lambda params: self._walk(visit, params), rounds, self.concurrency)
        else:
            for params in rounds:
                await self._walk(visit, params)
        return None

    async def _walk(self, visit: Visit, params: Mapping[str, Any]) -> Value:
        """Visit node after node from the start; return the last action."""
        node, action = self.start_node, None
        while node is not None:
            visited = copy.copy(node)
            visited.set_params(params)
            action = await visited.visit(visit.shared, visit.pace)
            node = self.get_next_node(visited, action)
        return action


class Flow(Graph, BaseNode):
    """Runs nodes from a start. `run` takes flows of plain functions only."""


class BatchFlow(Graph, BaseNode):
    """Runs its nodes once for each dict of parameters that `prep` returns; `post` gets None for a result."""

    many: ClassVar[Many] = Many.IN_ORDER


class ParallelBatchFlow(Graph, BaseNode):
    """A batch flow whose rounds run beside each other, at most `concurrency` at once."""

    many: ClassVar[Many] = Many.PARALLEL

    def __init__(self, start: BaseNode | None = None, concurrency: int | None = None) -> None:
        super().__init__(start)
        self.concurrency = concurrency


class AsyncGraph:
    """What the async kinds of flows have: they call `prep_async` and `post_async`.

    Under `run`, which cannot wait, they are what they are without `Async`.
    """

    _flow_class: ClassVar[str] = "AsyncFlow"

    async def prep_async(self, shared: Shared) -> Value:
        """Return what the rounds need, or nothing."""

    async def post_async(self, shared: Shared, prep_res: Value, exec_res: Value) -> Value:  # noqa: ARG002 - see `Graph`
        """Return the action of the whole flow; by default the last one of its nodes, *exec_res*."""
        return exec_res

    def hooks(self, pace: Pace) -> Hooks:
        """Return the functions a visit calls."""
        plain = BaseNode.hooks(cast("BaseNode", self), pace)
        return plain._replace(prep=self.prep_async, post=self.post_async) if pace.waits else plain


class AsyncFlow(AsyncGraph, Graph, BaseNode):
    """A `Flow` with `prep_async` and `post_async`."""


class AsyncBatchFlow(AsyncGraph, Graph, BaseNode):
    """A `BatchFlow` with `prep_async` and `post_async`."""

    many: ClassVar[Many] = Many.IN_ORDER


class AsyncParallelBatchFlow(AsyncGraph, Graph, BaseNode):
    """A `ParallelBatchFlow` with `prep_async` and `post_async`."""

    many: ClassVar[Many] = Many.PARALLEL

    def __init__(self, start: BaseNode | None = None, concurrency: int | None = None) -> None:
        super().__init__(start)
        self.concurrency = concurrency
