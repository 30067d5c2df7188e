"""A flow as its durable runs need it: nodes by name, what follows what."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from broker_actors.core.errors import ConfigurationError
from broker_actors.flow.durable.standstill import AnotherReleaseError
from broker_actors.flow.flows import Graph
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.naming import SEPARATOR, names_of

#: The name of the outermost flow.
ROOT: Final = ""


class Plan:
    """The names in one flow, found once."""

    def __init__(self, flow: BaseNode) -> None:
        """Name the nodes of *flow*, which is wired by now.

        Raises:
            ConfigurationError: it is no flow, or its nodes cannot be named.

        """
        if not flow.is_flow:
            raise ConfigurationError(f"{type(flow).__name__} is no flow: give Flow(start=...)")
        self.flow: Final = flow
        self._names: Final = names_of(flow)

    def node(self, name: str) -> BaseNode:
        """Return the node, or the flow, called *name*.

        Raises:
            AnotherReleaseError: there is none.

        """
        if name == ROOT:
            return self.flow
        if name not in self._names:
            nodes = ", ".join(self._names) or "none"
            raise AnotherReleaseError(f"the flow has no node {name!r}, and a run needs it (it has {nodes})")
        return self._names[name]

    def visited(self, name: str, params: Mapping[str, Any]) -> BaseNode:
        """Return a copy of the node called *name* for one visit; raises what `node` raises."""
        node = copy.copy(self.node(name))
        node.set_params(params)
        return node

    def start(self, flow: str) -> str:
        """Return the name of the node where *flow* begins; empty for a flow that does nothing."""
        return self._beside(flow, self.node(flow).start_node)

    def following(self, flow: str, name: str, action: Any) -> str:  # noqa: ANN401 - whatever `post` returned
        """Return the name of what follows *name*, a node of *flow*, after *action*; empty where it ends."""
        graph = self.node(flow)
        if not isinstance(graph, Graph):
            raise AnotherReleaseError(f"{flow!r} is no flow any more, and a run is in it")
        return self._beside(flow, graph.get_next_node(self.node(name), action))

    def _beside(self, flow: str, node: BaseNode | None) -> str:
        if node is None:
            return ""
        prefix = f"{flow}{SEPARATOR}" if flow else ""
        for name, one in self._names.items():
            # A node of two nested flows has a name in each.
            if one is node and name.startswith(prefix) and SEPARATOR not in name.removeprefix(prefix):
                return name
        raise AnotherReleaseError(
            f"{type(node).__name__} was wired into the flow after its actor class was made,"
            " too late for a name"
        )
