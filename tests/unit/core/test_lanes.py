"""Lanes against a model of plain lists."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker_actors.core.address import Address
from broker_actors.core.lanes import Lanes

LANES = [Address("Counter", str(n)) for n in range(5)]
lanes = st.sampled_from(LANES)


class LanesMachine(RuleBasedStateMachine):
    """Every item carries its lane and its place in it."""

    RUNNING_MAX = 3

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[tuple[Address, int]] = Lanes(self.RUNNING_MAX)
        self.waiting: dict[Address, list[int]] = {address: [] for address in LANES}
        self.running: dict[Address, int] = {}
        self.exempt = 0
        self.arrived = 0
        #: Per lane, the lanes that were served while it was ready.
        self.overtaken_by: dict[Address, list[Address]] = {}

    def is_ready(self, address: Address) -> bool:
        return bool(self.waiting[address]) and address not in self.running

    @rule(address=lanes)
    def arrive(self, address: Address) -> None:
        self.arrived += 1
        self.lanes.arrive(address, (address, self.arrived))
        self.waiting[address].append(self.arrived)

    @rule()
    def start_next(self) -> None:
        ready = [address for address in LANES if self.is_ready(address)]
        found = self.lanes.next()
        if not ready or len(self.running) - self.exempt >= self.RUNNING_MAX:
            assert found is None
            return
        assert found is not None, "a lane is ready and there is room"
        address, (lane, number) = found
        assert lane == address
        assert address in ready, "one item of an actor at a time"
        assert number == self.waiting[address].pop(0), "first in, first out"
        self.running[address] = number
        self.overtaken_by.pop(address, None)
        for other in ready:
            if other != address:
                served = self.overtaken_by.setdefault(other, [])
                assert address not in served, f"{address} was served twice while {other} was ready"
                served.append(address)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(sorted(self.running)))
        self.lanes.done(address)
        del self.running[address]

    @precondition(lambda self: self.exempt < len(self.running))
    @rule()
    def begin_to_wait(self) -> None:
        self.exempt += 1
        self.lanes.exempt(1)

    @precondition(lambda self: self.exempt)
    @rule()
    def wait_no_longer(self) -> None:
        self.exempt -= 1
        self.lanes.exempt(-1)

    @rule(address=lanes)
    def drop(self, address: Address) -> None:
        dropped = self.lanes.drop(address)
        assert dropped == [(address, number) for number in self.waiting[address]]
        self.waiting[address] = []
        self.overtaken_by.pop(address, None)

    @invariant()
    def counts_agree(self) -> None:
        assert self.lanes.running == len(self.running)
        assert self.lanes.waiting == sum(map(len, self.waiting.values()))
        for address in LANES:
            assert self.lanes.is_idle(address) == (not self.waiting[address] and address not in self.running)


test_lanes_are_fair_queues_of_one_at_a_time = LanesMachine.TestCase
test_lanes_are_fair_queues_of_one_at_a_time.settings = settings(stateful_step_count=40)


def test_a_backlog_does_not_starve_a_neighbour() -> None:
    lanes: Lanes[str] = Lanes(running_max=1)
    busy, quiet = LANES[:2]
    for _ in range(100):
        lanes.arrive(busy, "busy")
    lanes.arrive(quiet, "quiet")
    order = []
    while (found := lanes.next()) is not None:
        address, item = found
        order.append(item)
        lanes.done(address)
    assert order[:3] == ["busy", "quiet", "busy"]
    assert len(order) == 101


def test_a_turn_that_waits_for_an_answer_makes_room_for_another() -> None:
    lanes: Lanes[int] = Lanes(running_max=1)
    lanes.arrive(LANES[0], 1)
    lanes.arrive(LANES[1], 2)
    assert lanes.next() == (LANES[0], 1)
    assert lanes.next() is None
    lanes.exempt(1)
    assert lanes.next() == (LANES[1], 2)
