"""Flows: nodes, the actions that lead from one to the next, and flows of flows.

    load >> check
    check - "ok" >> publish
    check - "bad" >> reject
    Flow(start=load).run({"path": "a.txt"})

Here belongs what runs a flow in this process, and what runs it as a durable actor on the public API of
actors. Nothing here knows a broker or a store.
"""

from broker_actors.flow.durable.actor import DurableFlow
from broker_actors.flow.durable.run import Progress, Standing, Status
from broker_actors.flow.flows import (
    AsyncBatchFlow,
    AsyncFlow,
    AsyncParallelBatchFlow,
    BatchFlow,
    Flow,
    ParallelBatchFlow,
)
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.nodes import (
    AsyncBatchNode,
    AsyncNode,
    AsyncParallelBatchNode,
    BatchNode,
    Node,
    ParallelBatchNode,
)
from broker_actors.flow.waiting import Promise, Wait, read_promise

__all__ = [
    "AsyncBatchFlow",
    "AsyncBatchNode",
    "AsyncFlow",
    "AsyncNode",
    "AsyncParallelBatchFlow",
    "AsyncParallelBatchNode",
    "BaseNode",
    "BatchFlow",
    "BatchNode",
    "DurableFlow",
    "Flow",
    "Node",
    "ParallelBatchFlow",
    "ParallelBatchNode",
    "Progress",
    "Promise",
    "Standing",
    "Status",
    "Wait",
    "read_promise",
]
