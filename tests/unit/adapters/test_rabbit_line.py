"""The order of publications, through losses and suspicions."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.adapters.rabbitmq.line import Line
from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage


def publications(loop: asyncio.AbstractEventLoop, count: int) -> list[Publication]:
    return [
        Publication(Route("main", "box"), WireMessage(body=str(n).encode()), loop.create_future())
        for n in range(count)
    ]


def take_all(line: Line) -> list[Publication]:
    taken: list[Publication] = []
    while (publication := line.take()) is not None:
        taken.append(publication)
    return taken


async def test_the_window_bounds_what_is_on_the_way() -> None:
    line, all_of_them = Line(3), publications(asyncio.get_running_loop(), 5)
    for publication in all_of_them:
        line.enter(publication)
    assert take_all(line) == all_of_them[:3]
    line.settle(all_of_them[1])
    assert take_all(line) == all_of_them[3:4]
    assert line.waiting == 1


async def test_what_was_on_the_way_goes_back_to_the_front_in_order() -> None:
    line, all_of_them = Line(3), publications(asyncio.get_running_loop(), 5)
    for publication in all_of_them:
        line.enter(publication)
    take_all(line)
    line.settle(all_of_them[0])
    all_of_them[1].done.cancel()
    assert line.restore(poisoned=False) is None
    line.settle(all_of_them[2])
    assert take_all(line) == [all_of_them[2], all_of_them[3], all_of_them[4]]


async def test_suspects_go_one_by_one_until_the_culprit_is_found() -> None:
    line, all_of_them = Line(10), publications(asyncio.get_running_loop(), 5)
    for publication in all_of_them[:4]:
        line.enter(publication)
    take_all(line)
    line.enter(all_of_them[4])
    assert line.restore(poisoned=True) is None
    assert take_all(line) == all_of_them[:1]
    line.settle(all_of_them[0])
    assert take_all(line) == all_of_them[1:2]
    assert line.restore(poisoned=True) is all_of_them[1]
    # A connection lost meanwhile clears nobody.
    assert take_all(line) == all_of_them[2:3]
    assert line.restore(poisoned=False) is None
    assert take_all(line) == all_of_them[2:3]
    line.settle(all_of_them[2])
    assert take_all(line) == all_of_them[3:4]
    line.settle(all_of_them[3])
    assert take_all(line) == all_of_them[4:]


async def test_a_suspect_whose_caller_left_holds_nobody_up() -> None:
    line, all_of_them = Line(10), publications(asyncio.get_running_loop(), 3)
    for publication in all_of_them:
        line.enter(publication)
    take_all(line)
    line.restore(poisoned=True)
    for publication in all_of_them[:2]:
        line.leave(publication)
    line.leave(all_of_them[2])
    more = publications(asyncio.get_running_loop(), 3)
    for publication in more:
        line.enter(publication)
    assert take_all(line) == more


@given(
    actions=st.lists(
        st.tuples(
            st.sampled_from(
                ["enter", "enter", "take", "take", "settle", "leave", "cancel", "lose", "poison"]
            ),
            st.integers(0, 100),
        ),
        max_size=80,
    ),
    in_flight_max=st.integers(1, 4),
)
def test_whatever_happens_what_is_on_the_way_is_in_the_order_of_calls(
    actions: list[tuple[str, int]], in_flight_max: int
) -> None:
    loop = asyncio.new_event_loop()
    line = Line(in_flight_max)
    calls: list[Publication] = []
    on_the_way: list[Publication] = []
    for action, choice in actions:
        match action:
            case "enter":
                calls += publications(loop, 1)
                line.enter(calls[-1])
            case "take" if (taken := line.take()) is not None:
                assert taken not in on_the_way
                on_the_way.append(taken)
            case "settle" if on_the_way:
                settled = on_the_way.pop(choice % len(on_the_way))
                settled.succeed()
                line.settle(settled)
            case "leave" if calls:
                line.leave(calls[choice % len(calls)])
            case "cancel" if on_the_way:
                on_the_way[choice % len(on_the_way)].done.cancel()
            case "lose" | "poison":
                culprit = line.restore(poisoned=action == "poison")
                assert culprit is None or on_the_way == [culprit]
                on_the_way.clear()
            case _:
                pass
        positions = [calls.index(publication) for publication in on_the_way]
        assert positions == sorted(positions)
        assert len(on_the_way) <= in_flight_max
    loop.close()
