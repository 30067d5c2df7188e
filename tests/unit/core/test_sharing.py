"""Who consumes which mailbox: by itself, and in a model of workers and a broker that move it about."""

from __future__ import annotations

from collections import Counter as Tally

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker_actors.core.member import LEASE_SECONDS, Member
from broker_actors.core.sharing import CONSUMERS, Standing, Step, candidates, is_certain, next_step, ranking

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=6)
MAILBOX = "actors.Counter.g1.3"


@given(NAMES)
def test_the_ranking_is_the_same_in_every_order_of_names(names: list[str]) -> None:
    assert ranking(MAILBOX, names) == ranking(MAILBOX, reversed(names))
    assert sorted(ranking(MAILBOX, names)) == sorted(names)


@given(NAMES, st.text(min_size=1, max_size=8), st.text(max_size=20))
def test_a_worker_that_comes_or_goes_changes_the_order_of_nobody_else(
    names: list[str], other: str, mailbox: str
) -> None:
    without = [name for name in names if name != other]
    ranked = ranking(mailbox, {*names, other})
    assert [name for name in ranked if name != other] == ranking(mailbox, without)


def test_mailboxes_are_shared_about_evenly() -> None:
    names = [f"web-{n}:4711:{n:08x}" for n in range(4)]
    owners = Tally(ranking(f"actors.Counter.g1.{n}", names)[0] for n in range(1000))
    assert min(owners.values()) > 180, owners


def test_only_workers_of_the_type_that_stay_are_candidates() -> None:
    counter, order = frozenset({"Counter"}), frozenset({"Order"})
    members = [Member("a", counter), Member("b", order), Member("c", counter, leaving=True)]
    assert candidates("Counter", members) == ["a"]


def test_the_owner_and_one_who_stands_by_open_and_nobody_else() -> None:
    ranked = ["a", "b", "c"]
    steps = {name: next_step(name, ranked, set(), Standing()) for name in (*ranked, "stranger")}
    assert steps == {"a": Step.OPEN, "b": Step.OPEN, "c": Step.STAY, "stranger": Step.STAY}


def test_nobody_gives_a_mailbox_up_before_its_owner_consumes_it() -> None:
    for standing in (Standing(consuming=True), Standing(consuming=True, served=True)):
        assert next_step("c", ["a", "b", "c"], {"b", "c"}, standing) is Step.STAY
        assert next_step("b", ["a", "b", "c"], {"b", "c"}, standing) is Step.STAY


def test_who_stands_by_yields_only_if_it_is_served_and_nobody_waits_before_the_owner() -> None:
    ranked, served = ["a", "b", "c"], Standing(consuming=True, served=True)
    assert next_step("b", ranked, {"a", "b"}, Standing(consuming=True)) is Step.STAY
    assert next_step("b", ranked, {"a", "b", "c"}, served) is Step.STAY
    assert next_step("c", ranked, {"a", "b", "c"}, served) is Step.CLOSE
    assert next_step("b", ranked, {"a", "b"}, served) is Step.YIELD


def test_a_mailbox_with_a_long_turn_is_not_given_away() -> None:
    busy = Standing(consuming=True, served=True, settled=False)
    assert next_step("b", ["a", "b", "c"], {"a", "b"}, busy) is Step.STAY
    assert next_step("c", ["a", "b", "c"], {"a", "b", "c"}, busy) is Step.STAY


@pytest.mark.parametrize(
    ("owner_seen_seconds", "now_seconds", "certain"),
    [
        pytest.param(11.0, 11.0, True, id="it came after we were served"),
        pytest.param(9.0, 10.5, False, id="we may be served because it is dead"),
        pytest.param(10.0, 10.5, False, id="the same moment says nothing"),
        pytest.param(9.0, 10.0 + LEASE_SECONDS + 0.1, True, id="it has renewed since"),
    ],
)
def test_an_owner_is_certain_if_it_lives_after_we_were_served(
    owner_seen_seconds: float, now_seconds: float, certain: bool
) -> None:
    assert is_certain(10.0, owner_seen_seconds, now_seconds) is certain


class Moving(RuleBasedStateMachine):
    """Workers with views of different age, and a broker that serves whoever came first."""

    @initialize(names=st.sets(st.sampled_from("abcdef"), min_size=1))
    def start(self, names: set[str]) -> None:
        #: Who consumes, in the order in which the broker got to know them: the first is served.
        self.queue: list[str] = []
        self.workers: dict[str, bool] = dict.fromkeys(sorted(names), False)
        #: The latest word of each worker.
        self.said: dict[str, bool] = {}
        self.was_served: set[str] = set()

    @rule(name=st.sampled_from("abcdef"))
    def come(self, name: str) -> None:
        self.workers.setdefault(name, False)

    @rule(name=st.sampled_from("abcdef"))
    def die(self, name: str) -> None:
        if len(self.workers) > 1 and self.workers.pop(name, None) is not None:
            self.queue = [one for one in self.queue if one != name]
            self.said.pop(name, None)
            self.was_served.discard(name)

    @rule()
    def message(self) -> None:
        self.was_served.update(self.queue[:1])

    @rule(name=st.sampled_from("abcdef"))
    def beat(self, name: str) -> None:
        if name not in self.workers:
            return
        self.said[name] = name in self.queue
        consumers = {one for one, consuming in self.said.items() if consuming}
        standing = Standing(consuming=name in self.queue, served=name in self.was_served)
        step = next_step(name, ranking(MAILBOX, self.said), consumers, standing)
        if step is Step.OPEN:
            self.queue.append(name)
        if step in {Step.CLOSE, Step.YIELD}:
            assert len(self.queue) > 1, "somebody is there to take over"
            self.queue.remove(name)
            self.was_served.discard(name)
        if step is Step.YIELD:
            self.queue.append(name)

    @invariant()
    def it_settles(self) -> None:
        """Left alone, the owner is served and one more stands by."""
        copy = Moving()
        copy.queue, copy.workers = list(self.queue), dict(self.workers)
        copy.said, copy.was_served = dict(self.said), set(self.was_served)
        for _ in range(8):
            for name in copy.workers:
                copy.message()
                copy.beat(name)
        ranked = ranking(MAILBOX, copy.workers)
        assert copy.queue == ranked[:CONSUMERS]


TestMoving = Moving.TestCase
