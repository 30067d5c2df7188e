"""An actor class around a flow that a test has made."""

from __future__ import annotations

import itertools
from typing import ClassVar

from broker_actors import Ref, actor
from broker_actors.flow import BaseNode, DurableFlow, Flow
from broker_actors.flow.graph import Value


def chain(*nodes: BaseNode) -> Flow:
    """Return a flow of nodes that follow each other."""
    for one, two in itertools.pairwise(nodes):
        one.next(two)
    return Flow(nodes[0])


def durable(flow: BaseNode, timeout: float | None = None) -> tuple[type[DurableFlow], Value]:
    """Return an actor class that runs *flow*, and its ref."""
    wired = flow

    @actor(partitions=2)
    class Story(DurableFlow):
        flow: ClassVar[BaseNode] = wired
        flow_timeout: ClassVar[float | None] = timeout

    class StoryRef(Story, Ref):
        pass

    return Story, StoryRef
