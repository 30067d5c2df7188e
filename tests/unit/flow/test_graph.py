"""Wiring nodes, and running a flow along its actions."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from broker_actors.flow import AsyncNode, BaseNode, Flow, Node

Shared = dict[str, Any]


class Note(Node):
    """Notes that it ran, and returns an action."""

    def __init__(self, name: str, action: object = None) -> None:
        super().__init__()
        self.called = name
        self.action = action

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> object:
        shared.setdefault("ran", []).append(self.called)
        return self.action


def test_wiring_returns_what_follows_so_that_it_can_go_on() -> None:
    a, b, c = Note("a"), Note("b"), Note("c")
    assert (a >> b) is b
    assert (a - "again" >> c) is c
    assert b.next(c, "x") is c
    assert a.successors == {"default": b, "again": c}


def test_an_action_is_text() -> None:
    with pytest.raises(TypeError, match="Action must be a string"):
        Note("a") - 1  # type: ignore[operator]  # what is tested


def test_wiring_an_action_twice_warns_and_the_last_one_counts() -> None:
    a, b, c = Note("a"), Note("b"), Note("c")
    a >> b
    with pytest.warns(UserWarning, match=r"^Overwriting successor for action 'default'$"):
        a >> c
    assert a.successors["default"] is c


def test_a_node_alone_does_not_run_what_follows_and_says_so() -> None:
    a, shared = Note("a", "done"), Shared()
    a >> Note("b")
    with pytest.warns(UserWarning, match=r"^Node won't run successors\. Use Flow\.$"):
        assert a.run(shared) == "done"
    assert shared == {"ran": ["a"]}


async def test_an_async_node_alone_says_what_to_use() -> None:
    a = AsyncNode()
    a >> Note("b")
    with pytest.warns(UserWarning, match=r"^Node won't run successors\. Use AsyncFlow\.$"):
        await a.run_async({})


def test_the_start_of_a_flow_can_be_set_later() -> None:
    flow, a = Flow(), Note("a")
    assert flow.run({}) is None
    assert flow.start(a) is a
    assert flow.start_node is a


@pytest.mark.parametrize("action", [None, "", 0])
def test_no_action_is_the_default_one(action: object) -> None:
    shared, a = Shared(), Note("a", action)
    a >> Note("b", "end")
    assert Flow(a).run(shared) == "end"
    assert shared["ran"] == ["a", "b"]


def test_a_flow_ends_with_one_warning_where_an_action_leads_nowhere() -> None:
    a = Note("a", "left")
    a - "right" >> Note("b")
    with pytest.warns(UserWarning, match="Flow ends") as warned:
        assert Flow(a).run({}) == "left"
    assert [str(one.message) for one in warned] == ["Flow ends: 'left' not found in ['right']"]


def test_a_flow_ends_in_silence_where_nothing_follows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Flow(Note("a", "whatever")).run({}) == "whatever"


def test_a_flow_goes_around_until_an_action_leads_out() -> None:
    class Down(Node):
        def post(self, shared: Shared, prep_res: object, exec_res: object) -> str:
            shared["n"] -= 1
            return "again" if shared["n"] else "out"

    down, shared = Down(), {"n": 3}
    down - "again" >> down
    down - "out" >> Note("end")
    Flow(down).run(shared)
    assert shared == {"n": 0, "ran": ["end"]}


def test_every_visit_is_of_a_shallow_copy() -> None:
    class Visits(Node):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0
            self.seen: list[int] = []

        def post(self, shared: Shared, prep_res: object, exec_res: object) -> str:
            self.count += 1
            self.seen.append(self.count)
            return "again" if len(self.seen) < 3 else "end"

    node = Visits()
    node - "again" >> node
    node - "end" >> Note("end")
    Flow(node).run({})
    assert (node.count, node.seen) == (0, [1, 1, 1])


def test_a_flow_gives_its_parameters_to_every_node() -> None:
    class Params(Node):
        def prep(self, shared: Shared) -> None:
            shared.setdefault("params", []).append(self.params)

    own, other, shared = Params(), Params(), Shared()
    own.set_params({"mine": 1})
    own >> other
    flow = Flow(own)
    flow.set_params({"theirs": 2})
    flow.run(shared)
    assert shared["params"] == [{"theirs": 2}, {"theirs": 2}]
    assert shared["params"][0] is shared["params"][1]
    assert own.params == {"mine": 1}


def test_a_nested_flow_is_a_node_whose_last_action_selects_what_follows() -> None:
    inner_start, shared = Note("inner 1"), Shared()
    inner_start >> Note("inner 2", "left")
    inner = Flow(inner_start)
    inner - "left" >> Note("after", "end")
    inner - "right" >> Note("never")
    assert Flow(inner).run(shared) == "end"
    assert shared["ran"] == ["inner 1", "inner 2", "after"]


def test_the_post_of_a_flow_gets_its_last_action_and_may_return_another() -> None:
    class Renamed(Flow):
        def prep(self, shared: Shared) -> str:
            return "prepared"

        def post(self, shared: Shared, prep_res: str, exec_res: str) -> str:
            return f"{prep_res} {exec_res}"

        def exec(self, prep_res: object) -> None:
            raise AssertionError("never called")

    assert Renamed(Note("a", "last")).run({}) == "prepared last"


def test_a_node_without_retries_is_a_base_node() -> None:
    class Plain(BaseNode):
        def prep(self, shared: Shared) -> int:
            return shared["n"]  # type: ignore[no-any-return]  # whatever is in there

        def exec(self, prep_res: int) -> int:
            return prep_res + 1

        def post(self, shared: Shared, prep_res: int, exec_res: int) -> int:
            return exec_res

    assert Plain().run({"n": 1}) == 2
