"""What of an outbox may leave: in order per target, and nothing waits for another target."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.outgoing import Destination, Outgoing, mark
from broker_actors.core.unsent import Backlog, Place

targets = st.sampled_from(["a", "b"])


def item(target: str, seq: int, incarnation: str = "1") -> Outgoing:
    """Return a numbered tell to *target*."""
    envelope = Envelope(Address("Book", target), "note", sender="Book/me")
    return Outgoing(Destination.MAILBOX, to_wire(envelope)).marked(mark(incarnation, seq))


@dataclass
class Line:
    """What a model remembers of one target: numbers let out, held back, and gone, by place."""

    seq: int = 0
    out: dict[Place, int] = field(default_factory=dict)
    held: dict[Place, int] = field(default_factory=dict)


class BacklogModel(RuleBasedStateMachine):
    """Any mix of commits, confirms, refusals and readings of the outbox."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog()
        self.version = 0
        self.lines = {name: Line() for name in "ab"}

    @rule(names=st.lists(targets, min_size=1, max_size=4))
    def commit(self, names: list[str]) -> None:
        self.version += 1
        for index, name in enumerate(names):
            line = self.lines[name]
            line.seq += 1
            is_free = not line.held
            place = (self.version, index)
            (line.out if is_free else line.held)[place] = line.seq
            assert self.backlog.add(place, item(name, line.seq)) is is_free

    @rule(name=targets, pick=st.integers(0, 5))
    def confirm(self, name: str, pick: int) -> None:
        if out := self.lines[name].out:
            place = list(out)[pick % len(out)]
            del out[place]
            self.backlog.confirm([place])

    @rule(name=targets, pick=st.integers(0, 5))
    def refuse(self, name: str, pick: int) -> None:
        line = self.lines[name]
        if line.out:
            place = list(line.out)[pick % len(line.out)]
            line.held[place] = line.out.pop(place)
            self.backlog.hold(place)

    @rule(name=targets, count=st.integers(1, 4))
    def the_relay_sends_some(self, name: str, count: int) -> None:
        line = self.lines[name]
        for place in sorted(line.held)[:count]:
            del line.held[place]
        left = {place for one in self.lines.values() for place in (*one.out, *one.held)}
        self.backlog.keep(left, before=self.version + 1)

    @invariant()
    def nothing_is_forgotten(self) -> None:
        lines = self.lines.values()
        assert len(self.backlog) == sum(len(line.out) + len(line.held) for line in lines)
        assert self.backlog.is_holding is any(line.held for line in lines)

    @invariant()
    def the_lowest_number_is_that_of_the_first_unsent(self) -> None:
        for name, line in self.lines.items():
            unsent = [*line.out.values(), *line.held.values()]
            expected = min(unsent, default=line.seq + 1)
            assert self.backlog.low(item(name, line.seq + 1)) == expected


TestBacklog = BacklogModel.TestCase


def test_a_new_sender_has_a_lowest_number_of_its_own() -> None:
    backlog = Backlog()
    backlog.add((1, 0), item("a", 7, "1"))
    backlog.add((2, 0), item("a", 1, "2"))
    assert backlog.low(item("a", 8, "1")) == 7
    assert backlog.low(item("a", 2, "2")) == 1


def test_what_waits_for_its_time_or_is_dead_holds_back_nothing() -> None:
    backlog = Backlog()
    letter = Outgoing(Destination.DEAD, item("a", 1).message)
    backlog.add((1, 0), letter)
    backlog.hold((1, 0))
    assert not backlog.is_holding
    assert backlog.add((1, 1), item("a", 1))
    assert backlog.add((1, 2), letter)


def test_what_was_committed_after_the_outbox_was_read_is_not_taken_for_sent() -> None:
    backlog = Backlog()
    backlog.add((1, 0), item("a", 1))
    backlog.add((2, 0), item("b", 1))
    backlog.hold((2, 0))
    backlog.keep(set(), before=2)
    assert backlog.low(item("a", 9)) == 9
    assert not backlog.add((3, 0), item("b", 2))
