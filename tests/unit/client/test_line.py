"""Whoever tries is the first of its actor, and somebody always tries."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_actors.client.line import Line, Waiting
from broker_actors.core.address import Address

ACTORS = [Address("Thing", name) for name in "abc"]


class Lines(RuleBasedStateMachine):
    """A line, and what it has to be."""

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self.model: list[Waiting] = []

    @property
    def trying(self) -> list[Waiting]:
        return [waiting for waiting in self.model if waiting.granted.is_set()]

    @rule(actor=st.sampled_from(ACTORS))
    def stand(self, actor: Address) -> None:
        self.model.append(self.line.stand(actor))

    @rule(pick=st.integers(0, 99), is_taken=st.booleans())
    def outcome(self, pick: int, is_taken: bool) -> None:
        if trying := self.trying:
            waiting = trying[pick % len(trying)]
            if is_taken:
                self.model.remove(waiting)
                self.line.leave(waiting, is_taken=True)
            else:
                self.line.refused(waiting)

    @rule(pick=st.integers(0, 99))
    def give_up(self, pick: int) -> None:
        if self.model:
            waiting = self.model.pop(pick % len(self.model))
            self.line.leave(waiting, is_taken=False)

    @invariant()
    def somebody_tries(self) -> None:
        assert bool(self.trying) == bool(self.model)
        assert self.line.length == len(self.model)

    @invariant()
    def who_tries_is_the_first_of_its_actor(self) -> None:
        firsts = [next((one for one in self.model if one.actor == actor), None) for actor in ACTORS]
        assert set(self.trying) <= set(firsts)

    @invariant()
    def as_many_try_as_may(self) -> None:
        actors = len({waiting.actor for waiting in self.model})
        assert len(self.trying) >= min(self.line.pacing.window, actors)


TestLines = Lines.TestCase
