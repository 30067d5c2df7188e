"""A flow as a Mermaid graph, which Markdown pages and many tools can show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from broker_actors.core.errors import ConfigurationError
from broker_actors.flow.graph import DEFAULT_ACTION, BaseNode, Many
from broker_actors.flow.naming import SEPARATOR, name_in, names_of

_CURRENT: Final = "fill:#ffd54f,stroke:#b28704"
_MANY: Final = {Many.ONE: "", Many.IN_ORDER: " (each)", Many.PARALLEL: " (parallel)"}


def mermaid(flow: BaseNode, current: BaseNode | str | Mapping[str, str] | None = None) -> str:
    """Return *flow* as the text of a Mermaid flowchart.

    Args:
        flow: what to draw.
        current: the node, or the name of the node, to mark: where a run stands. If it stands at several,
            the names of all, and what is to be written behind each; one that is gone is drawn by itself.

    Raises:
        ConfigurationError: *current* is not in the flow, or the flow contains itself.

    """
    names = names_of(flow)
    marks = _marks(names, current)
    gone = [name for name in marks if name not in names]
    ids = {name: f"n{number}" for number, name in enumerate((*names, *gone))}
    texts = {name: _MANY[node.many] + f" {marks.get(name, '')}".rstrip() for name, node in names.items()}
    lines = ["flowchart TD", *_body(names, ids, texts, "", 1)]
    lines += _edges(names, ids)
    lines += [f"    {ids[name]}[{_quoted(f'{name} (gone)')}]" for name in gone]
    lines += [f"    style {ids[name]} {_CURRENT}" for name in marks]
    return "\n".join(lines) + "\n"


def _marks(
    names: Mapping[str, BaseNode], current: BaseNode | str | Mapping[str, str] | None
) -> Mapping[str, str]:
    """Return what is to be marked, and what is written behind it."""
    match current:
        case None:
            return {}
        case BaseNode():
            return {name_in(names, current): ""}
        case _:
            if isinstance(current, Mapping):
                return current
    if current not in names:
        raise ConfigurationError(f"no node {current!r} in this flow, which has {', '.join(names) or 'none'}")
    return {current: ""}


def _body(
    names: Mapping[str, BaseNode], ids: Mapping[str, str], texts: Mapping[str, str], prefix: str, depth: int
) -> Iterator[str]:
    """Yield the nodes whose names are one part longer than *prefix*, nested flows with what is in them."""
    indent = "    " * depth
    for name, node in names.items():
        inner = name.removeprefix(prefix)
        if not name.startswith(prefix) or SEPARATOR in inner:
            continue
        text = _quoted(inner + texts[name])
        if node.is_flow:
            yield f"{indent}subgraph {ids[name]}[{text}]"
            yield from _body(names, ids, texts, f"{name}{SEPARATOR}", depth + 1)
            yield f"{indent}end"
        else:
            yield f"{indent}{ids[name]}[{text}]"


def _edges(names: Mapping[str, BaseNode], ids: Mapping[str, str]) -> Iterator[str]:
    # A node of two nested flows is drawn in each, and what follows it is in the same one.
    found = {(_parent(name), id(node)): name for name, node in names.items()}
    for name, node in names.items():
        for action, following in node.successors.items():
            target = found[_parent(name), id(following)]
            arrow = "-->" if action == DEFAULT_ACTION else f"-->|{_quoted(action)}|"
            yield f"    {ids[name]} {arrow} {ids[target]}"


def _parent(name: str) -> str:
    return name.rpartition(SEPARATOR)[0]


def _quoted(text: str) -> str:
    return '"' + text.replace("&", "#amp;").replace('"', "#quot;") + '"'
