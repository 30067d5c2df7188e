"""Lanes against a model of plain lists."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker_actors.core.address import Address
from broker_actors.core.lanes import Admitted, Lanes

LANES = [Address("Counter", str(n)) for n in range(4)]
lanes = st.sampled_from(LANES)
Place = tuple[Address, bool]


class LanesMachine(RuleBasedStateMachine):
    """Every item carries its lane, what it interleaves as, and its place in the order of arrival."""

    RUNNING_MAX = 3

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[tuple[Address, str, int]] = Lanes(self.RUNNING_MAX)
        self.waiting: dict[Address, list[int]] = {address: [] for address in LANES}
        self.beside: dict[Address, dict[str, list[int]]] = {address: {} for address in LANES}
        self.running: list[Admitted[tuple[Address, str, int]]] = []
        self.exempt = 0
        self.held: set[Address] = set()
        self.arrived = 0
        #: Per lane, the lanes that were served while it was ready.
        self.overtaken_by: dict[Place, list[Place]] = {}

    def runs(self, address: Address, beside: str = "") -> bool:
        return any((one.address, one.beside) == (address, beside) for one in self.running)

    def is_ready(self, address: Address) -> bool:
        is_free = address not in self.held and not self.runs(address)
        return bool(self.waiting[address]) and is_free

    def ready_beside(self, address: Address) -> list[str]:
        return [
            name for name, copies in self.beside[address].items() if copies and not self.runs(address, name)
        ]

    @rule(address=lanes)
    def arrive(self, address: Address) -> None:
        self.arrived += 1
        self.lanes.arrive(address, (address, "", self.arrived))
        self.waiting[address].append(self.arrived)

    @rule(address=lanes, beside=st.sampled_from("abc"))
    def arrive_beside(self, address: Address, beside: str) -> None:
        self.arrived += 1
        self.lanes.arrive(address, (address, beside, self.arrived), beside=beside)
        self.beside[address].setdefault(beside, []).append(self.arrived)

    @rule()
    def start_next(self) -> None:
        ready: list[Place] = [(address, False) for address in LANES if self.is_ready(address)]
        ready += [(address, True) for address in LANES if self.ready_beside(address)]
        found = self.lanes.next()
        if not ready or len(self.running) - self.exempt >= self.RUNNING_MAX:
            assert found is None
            return
        assert found is not None, "a lane is ready and there is room"
        lane, beside, number = found.item
        assert (lane, beside) == (found.address, found.beside)
        place = (found.address, bool(beside))
        assert place in ready, "one item of a lane at a time, one copy of an interleaved item"
        waiting = self.beside[lane][beside] if beside else self.waiting[lane]
        assert number in waiting
        if not beside:
            assert number == waiting[0], "first in, first out"
        waiting.remove(number)
        self.running.append(found)
        self.note_overtaking(place, ready)

    def note_overtaking(self, place: Place, ready: list[Place]) -> None:
        self.overtaken_by.pop(place, None)
        for other in ready:
            if other != place:
                served = self.overtaken_by.setdefault(other, [])
                assert place not in served, f"{place} was served twice while {other} was ready"
                served.append(place)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        one = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.lanes.done(one)

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
    def hold(self, address: Address) -> None:
        self.lanes.hold(address)
        self.held.add(address)
        self.overtaken_by.pop((address, False), None)

    @rule(address=lanes)
    def release(self, address: Address) -> None:
        self.lanes.release(address)
        self.held.discard(address)

    @rule(address=lanes)
    def drop(self, address: Address) -> None:
        dropped = self.lanes.drop(address)
        of_lane = [(address, "", number) for number in self.waiting[address]]
        assert dropped[: len(of_lane)] == of_lane
        of_beside = [
            (address, beside, number) for beside, ns in self.beside[address].items() for number in ns
        ]
        assert sorted(dropped[len(of_lane) :]) == sorted(of_beside)
        self.waiting[address] = []
        self.beside[address] = {}
        for place in ((address, False), (address, True)):
            self.overtaken_by.pop(place, None)

    @rule(address=lanes)
    def put_back(self, address: Address) -> None:
        self.arrived += 1
        self.lanes.put_back(address, (address, "", self.arrived))
        self.waiting[address].insert(0, self.arrived)

    @rule(address=lanes, data=st.data())
    def remove(self, address: Address, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from([0, *self.waiting[address]])))
        self.lanes.remove(address, [(address, "", number) for number in gone])
        self.waiting[address] = [number for number in self.waiting[address] if number not in gone]
        if not self.waiting[address]:
            self.overtaken_by.pop((address, False), None)

    @invariant()
    def lanes_that_wait_are_seen(self) -> None:
        seen = {address: [number for _, _, number in items] for address, items in self.lanes.each()}
        assert seen == {address: numbers for address, numbers in self.waiting.items() if numbers}
        assert all([n for _, _, n in self.lanes.waiting_of(one)] == self.waiting[one] for one in LANES)
        assert self.lanes.longest == max(map(len, self.waiting.values()))

    @invariant()
    def counts_agree(self) -> None:
        depths = {
            address: len(self.waiting[address]) + sum(map(len, self.beside[address].values()))
            for address in LANES
        }
        assert self.lanes.depths() == {address: depth for address, depth in depths.items() if depth}
        assert self.lanes.running == len(self.running)
        assert self.lanes.waiting == sum(map(len, self.lanes.queues())) == sum(depths.values())
        for address in LANES:
            runs = any(one.address == address for one in self.running)
            assert self.lanes.is_idle(address) == (not depths[address] and not runs)


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
        order.append(found.item)
        lanes.done(found)
    assert order[:3] == ["busy", "quiet", "busy"]
    assert len(order) == 101


def test_interleaved_items_starve_neither_a_neighbour_nor_their_own_lane() -> None:
    lanes: Lanes[str] = Lanes(running_max=2)
    busy, quiet = LANES[:2]
    for n in range(100):
        lanes.arrive(busy, "beside", beside=str(n))
    lanes.arrive(busy, "own")
    lanes.arrive(quiet, "quiet")
    order = []
    while (found := lanes.next()) is not None:
        order.append(found.item)
        lanes.done(found)
    assert order[:4] == ["beside", "own", "quiet", "beside"]


def test_interleaved_items_run_beside_each_other_and_beside_their_lane() -> None:
    lanes: Lanes[str] = Lanes(running_max=3)
    lanes.arrive(LANES[0], "own")
    for name in "abc":
        lanes.arrive(LANES[0], name, beside=name)
    running = [found.item for _ in range(4) if (found := lanes.next()) is not None]
    assert running == ["own", "a", "b"], "as many as there is room for"


def test_a_copy_of_a_running_interleaved_item_waits_for_its_end() -> None:
    lanes: Lanes[int] = Lanes(running_max=9)
    lanes.arrive(LANES[0], 1, beside="same")
    lanes.arrive(LANES[0], 2, beside="same")
    first = lanes.next()
    assert first is not None
    assert lanes.next() is None
    lanes.arrive(LANES[0], 3, beside="same")
    assert lanes.next() is None
    lanes.done(first)
    assert lanes.next() == Admitted(LANES[0], 2, "same")


def test_a_turn_that_waits_for_an_answer_makes_room_for_another() -> None:
    lanes: Lanes[int] = Lanes(running_max=1)
    lanes.arrive(LANES[0], 1)
    lanes.arrive(LANES[1], 2)
    assert lanes.next() == Admitted(LANES[0], 1)
    assert lanes.next() is None
    lanes.exempt(1)
    assert lanes.next() == Admitted(LANES[1], 2)
