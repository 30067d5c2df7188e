"""The names of the nodes in a flow: what drawings, commands and the state of durable flows call them.

Invariant: names depend on how the flow is wired and on nothing else, so that every process that builds
the same flow gives the same ones. A node in a nested flow is called `Outer flow/its name`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from broker_actors.core.errors import ConfigurationError
from broker_actors.flow.graph import BaseNode

SEPARATOR: Final = "/"
#: What names are parts of: those of nested nodes, and promises.
_RESERVED: Final = frozenset("/#@")


def names_of(flow: BaseNode) -> Mapping[str, BaseNode]:
    """Return the nodes of *flow* by name, in the order they are reached from its start, breadth first.

    A node is called what its `label` says, or else its class; the second of a name has `-2` behind it.
    Nodes of nested flows follow at the end.

    Raises:
        ConfigurationError: a label cannot be a name, or the flow contains itself.

    """
    return MappingProxyType(dict(_named(flow, "", (flow,))))


def name_in(names: Mapping[str, BaseNode], node: BaseNode) -> str:
    """Return the name of *node*.

    Raises:
        ConfigurationError: it is not one of them.

    """
    for name, one in names.items():
        if one is node:
            return name
    raise ConfigurationError(f"{type(node).__name__} is no node of this flow: wire it from the start")


def _named(flow: BaseNode, prefix: str, around: tuple[BaseNode, ...]) -> Iterator[tuple[str, BaseNode]]:
    own: dict[str, BaseNode] = {}
    counts: dict[str, int] = {}
    for node in _reached(flow):
        label = _label(node)
        name = label
        while name in own:
            counts[label] = counts.get(label, 1) + 1
            name = f"{label}-{counts[label]}"
        own[name] = node
    for name, node in own.items():
        yield prefix + name, node
    for name, node in own.items():
        if node.is_flow:
            if node in around:
                text = f"flow {prefix + name!r} contains itself: lead back to it by an action instead"
                raise ConfigurationError(text)
            yield from _named(node, f"{prefix}{name}{SEPARATOR}", (*around, node))


def _reached(flow: BaseNode) -> Iterator[BaseNode]:
    waiting = [] if flow.start_node is None else [flow.start_node]
    # By identity: a node may compare equal to another.
    seen = {id(node) for node in waiting}
    for node in waiting:
        yield node
        for following in node.successors.values():
            if id(following) not in seen:
                seen.add(id(following))
                waiting.append(following)


def _label(node: BaseNode) -> str:
    label = node.label or type(node).__name__
    if not label.isprintable() or not _RESERVED.isdisjoint(label):
        text = f"label {label!r} cannot be a node's name: leave out {SEPARATOR} # @ and control characters"
        raise ConfigurationError(text)
    return label
