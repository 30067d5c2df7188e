"""Flows as Mermaid graphs, and the names of their nodes."""

from __future__ import annotations

import pytest

from broker_actors import ConfigurationError
from broker_actors.flow import Flow, Node, ParallelBatchNode
from broker_actors.flow.naming import names_of


class Load(Node):
    pass


class Check(Node):
    pass


class Pages(ParallelBatchNode):
    pass


class Labelled(Node):
    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label


class Inner(Flow):
    pass


def story() -> tuple[Flow, Node]:
    load, check, pages, last = Load(), Check(), Pages(), Load()
    pages >> Check()
    inner = Inner(pages)
    load >> check
    check - "again" >> load
    check - 'say "ok"' >> inner
    inner >> last
    return Flow(load), last


def test_a_flow_is_drawn_with_where_it_stands() -> None:
    flow, last = story()
    assert flow.mermaid(current=last) == (
        "flowchart TD\n"
        '    n0["Load"]\n'
        '    n1["Check"]\n'
        '    subgraph n2["Inner"]\n'
        '        n4["Pages (parallel)"]\n'
        '        n5["Check"]\n'
        "    end\n"
        '    n3["Load-2"]\n'
        "    n0 --> n1\n"
        '    n1 -->|"again"| n0\n'
        '    n1 -->|"say #quot;ok#quot;"| n2\n'
        "    n2 --> n3\n"
        "    n4 --> n5\n"
        "    style n3 fill:#ffd54f,stroke:#b28704\n"
    )
    assert flow.mermaid(current="Load-2") == flow.mermaid(current=last)
    assert "style" not in flow.mermaid()


def test_names_come_from_labels_and_classes_and_are_told_apart() -> None:
    flow, _ = story()
    assert [*names_of(flow)] == ["Load", "Check", "Inner", "Load-2", "Inner/Pages", "Inner/Check"]
    start = Labelled("ask")
    start >> Labelled("ask") >> Labelled("")
    assert [*names_of(Flow(start))] == ["ask", "ask-2", "Labelled"]


def test_a_node_that_is_not_in_the_flow_cannot_be_marked() -> None:
    flow, _ = story()
    with pytest.raises(ConfigurationError, match="no node of this flow"):
        flow.mermaid(current=Load())
    with pytest.raises(ConfigurationError, match=r"no node 'Nowhere'.*Load, Check"):
        flow.mermaid(current="Nowhere")


def test_a_node_shared_by_two_nested_flows_is_drawn_in_each() -> None:
    one, two = Load(), Check()
    one >> two
    first = Inner(one)
    first >> Inner(one)
    text = Flow(first).mermaid()
    assert '"Load"' in text
    assert "n2 --> n3" in text
    assert "n4 --> n5" in text


def test_a_flow_that_contains_itself_cannot_be_drawn() -> None:
    flow = Flow()
    flow.start(flow)
    with pytest.raises(ConfigurationError, match="contains itself"):
        flow.mermaid()


def test_a_label_that_would_be_a_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave out /"):
        Flow(Labelled("a/b")).mermaid()


def test_a_flow_without_nodes_can_be_drawn() -> None:
    assert Flow().mermaid() == "flowchart TD\n"
