"""The kinds of nodes: one item or many, one after the other or beside each other.

The `Async...` kinds call `prep_async`, `exec_async`, `exec_fallback_async` and `post_async` and nothing
else. The others call `prep`, `exec`, `exec_fallback` and `post`, each of which may be async, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, cast

from broker_actors.flow.attempts import Attempts
from broker_actors.flow.graph import BaseNode, Hooks, Many, Shared, Value
from broker_actors.flow.pace import Pace


class Node(Attempts, BaseNode):
    """A node whose `exec` is tried `max_retries` times, `wait` seconds apart."""


class BatchNode(Attempts, BaseNode):
    """A node whose `exec` takes each item that `prep` returns, in order; a retry is of one item."""

    many: ClassVar[Many] = Many.IN_ORDER


class ParallelBatchNode(Attempts, BaseNode):
    """A batch node whose items run beside each other, at most `concurrency` at once.

    Without an event loop, under `run`, they run in order.
    """

    many: ClassVar[Many] = Many.PARALLEL

    def __init__(self, max_retries: int = 1, wait: float = 0, concurrency: int | None = None) -> None:
        super().__init__(max_retries, wait)
        self.concurrency = concurrency


class AsyncSteps:
    """The functions of the async kinds of nodes."""

    _flow_class: ClassVar[str] = "AsyncFlow"

    async def prep_async(self, shared: Shared) -> Value:
        """Return what `exec_async` needs."""

    async def exec_async(self, prep_res: Value) -> Value:
        """Do the work, without looking at the shared data."""

    async def exec_fallback_async(self, prep_res: Value, exc: Exception) -> Value:  # noqa: ARG002 - for those who override
        """Return what stands in for the result when the last attempt has failed with *exc*."""
        raise exc

    async def post_async(self, shared: Shared, prep_res: Value, exec_res: Value) -> Value:
        """Keep the result; return the action, None for the default one."""

    def hooks(self, pace: Pace) -> Hooks:  # noqa: ARG002 - the same for each
        """Return the functions a visit calls."""
        return Hooks(self.prep_async, self.exec_async, self.exec_fallback_async, self.post_async)

    def items(self, prep_res: Value) -> Iterable[Value]:
        """Return the items of a batch, which `prep_async` must have returned."""
        return cast("Iterable[Value]", prep_res)


class AsyncNode(AsyncSteps, Attempts, BaseNode):
    """A `Node` of the async functions only."""


class AsyncBatchNode(AsyncSteps, Attempts, BaseNode):
    """A `BatchNode` of the async functions only."""

    many: ClassVar[Many] = Many.IN_ORDER


class AsyncParallelBatchNode(AsyncSteps, Attempts, BaseNode):
    """A `ParallelBatchNode` of the async functions only."""

    many: ClassVar[Many] = Many.PARALLEL

    def __init__(self, max_retries: int = 1, wait: float = 0, concurrency: int | None = None) -> None:
        super().__init__(max_retries, wait)
        self.concurrency = concurrency
