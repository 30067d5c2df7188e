"""Who consumes which mailbox: by itself, and in a model of workers and a broker that move it about."""

from __future__ import annotations

from collections import Counter as Tally

import pytest
from hypothesis import given, settings
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


def test_who_is_served_trusts_no_last_word() -> None:
    doubting = Standing(consuming=True, served=True, certain=False)
    assert next_step("c", ["a", "b", "c"], {"a", "b", "c"}, doubting) is Step.STAY
    assert next_step("b", ["a", "b", "c"], {"a", "b"}, doubting) is Step.STAY


def test_a_mailbox_with_a_long_turn_is_not_given_away() -> None:
    busy = Standing(consuming=True, served=True, settled=False)
    assert next_step("b", ["a", "b", "c"], {"a", "b"}, busy) is Step.STAY
    assert next_step("c", ["a", "b", "c"], {"a", "b", "c"}, busy) is Step.STAY


@pytest.mark.parametrize(
    ("owner_said_seconds", "now_seconds", "certain"),
    [
        pytest.param(11.0, 11.0, True, id="it came after we were served"),
        pytest.param(9.0, 10.5, False, id="we may be served because it is dead"),
        pytest.param(10.0, 10.5, False, id="the same moment says nothing"),
        pytest.param(9.0, 10.0 + LEASE_SECONDS + 0.1, True, id="it has renewed since"),
    ],
)
def test_an_owner_is_certain_if_it_lives_after_we_were_served(
    owner_said_seconds: float, now_seconds: float, certain: bool
) -> None:
    assert is_certain(10.0, owner_said_seconds, now_seconds) is certain


class Moving(RuleBasedStateMachine):
    """Workers with views of different age, and a broker that serves whoever came first.

    The broker knows at once that a worker is dead; the others believe its last word for a lease.
    """

    @initialize(names=st.sets(st.sampled_from("abc"), min_size=1))
    def start(self, names: set[str]) -> None:
        self.now_seconds = 100.0
        #: Who consumes, in the order in which the broker got to know them: the first is served.
        self.queue: list[str] = []
        self.workers: dict[str, bool] = dict.fromkeys(sorted(names), False)
        #: The latest word of each worker, and until when that of a dead one is believed.
        self.said: dict[str, bool] = {}
        self.believed_seconds: dict[str, float] = {}
        self.died_seconds: dict[str, float] = {}
        #: Since when a worker is served, when it looked last, and after when which owner said to consume.
        self.served_seconds: dict[str, float] = {}
        self.looked_seconds: dict[str, float] = {}
        self.seen: dict[str, tuple[str, float]] = {}

    @rule(name=st.sampled_from("abc"))
    def come(self, name: str) -> None:
        # A worker that starts again has another name.
        if name not in self.believed_seconds:
            self.workers.setdefault(name, False)

    @rule(names=st.sets(st.sampled_from("abc"), min_size=1))
    def die(self, names: set[str]) -> None:
        for name in sorted(names):
            self._die(name)

    def _die(self, name: str) -> None:
        if len(self.workers) > 1 and self.workers.pop(name, None) is not None:
            self.queue = [one for one in self.queue if one != name]
            self.served_seconds.pop(name, None)
            self.looked_seconds.pop(name, None)
            self.seen.pop(name, None)
            self.died_seconds[name] = self._now()
            if name in self.said:
                self.believed_seconds[name] = self.now_seconds + LEASE_SECONDS

    @rule(seconds=st.sampled_from([0.5, 3.0, LEASE_SECONDS + 1.0]))
    def later(self, seconds: float) -> None:
        self.now_seconds += seconds
        for name, until_seconds in list(self.believed_seconds.items()):
            if until_seconds <= self.now_seconds:
                del self.believed_seconds[name], self.said[name]

    @rule()
    def message(self) -> None:
        for name in self.queue[:1]:
            self.served_seconds.setdefault(name, self._now())

    @rule()
    def everybody_beats(self) -> None:
        for name in list(self.workers):
            self.beat(name)

    @rule(name=st.sampled_from("abc"))
    def beat(self, name: str) -> None:
        if name not in self.workers:
            return
        self.said[name] = name in self.queue
        consumers = {one for one, consuming in self.said.items() if consuming}
        ranked = ranking(MAILBOX, self.said)
        step = next_step(name, ranked, consumers, self._standing(name, ranked[0], consumers))
        if step is Step.OPEN:
            self.queue.append(name)
        if step in {Step.CLOSE, Step.YIELD}:
            self._check(name, ranked[0])
            self.queue.remove(name)
            self.served_seconds.pop(name, None)
        if step is Step.YIELD:
            self.queue.append(name)

    def _check(self, name: str, owner: str) -> None:
        """Check that nobody who is served leaves unless the owner was there after that began."""
        if name in self.served_seconds and len(self.queue) == 1:
            assert self.died_seconds[owner] > self.served_seconds[name], "somebody is there to take over"

    def _now(self) -> float:
        # No two things happen at the same moment.
        self.now_seconds += 0.001
        return self.now_seconds

    def _standing(self, name: str, owner: str, consumers: set[str]) -> Standing:
        if owner not in consumers:
            self.seen.pop(name, None)
        elif self.seen.get(name, ("",))[0] != owner:
            self.seen[name] = owner, self.looked_seconds.get(name, 0.0)
        self.looked_seconds[name] = self._now()
        served_seconds = self.served_seconds.get(name)
        seen_seconds = self.seen.get(name, ("", 0.0))[1]
        return Standing(
            consuming=name in self.queue,
            served=served_seconds is not None,
            certain=served_seconds is not None and is_certain(served_seconds, seen_seconds, self.now_seconds),
        )

    @invariant()
    def it_settles(self) -> None:
        """Left alone, the owner is served and one more stands by."""
        copy = Moving()
        copy.now_seconds = self.now_seconds
        copy.queue, copy.workers = list(self.queue), dict(self.workers)
        copy.said, copy.believed_seconds = dict(self.said), dict(self.believed_seconds)
        copy.died_seconds, copy.looked_seconds = dict(self.died_seconds), dict(self.looked_seconds)
        copy.served_seconds, copy.seen = dict(self.served_seconds), dict(self.seen)
        for _ in range(8):
            copy.later(LEASE_SECONDS + 1.0)
            for name in copy.workers:
                copy.message()
                copy.beat(name)
        ranked = ranking(MAILBOX, copy.workers)
        assert copy.queue == ranked[:CONSUMERS]


TestMoving = Moving.TestCase
TestMoving.settings = settings(stateful_step_count=25)


def test_the_last_one_stays_although_dead_workers_still_say_to_consume() -> None:
    """The model's own steps, in an order that is seldom drawn."""
    owner, stand_by, third = ranking(MAILBOX, "abc")
    moving = Moving()
    moving.start({owner, third})
    for name in (owner, third, owner, third):
        moving.beat(name)
    moving.die({owner})
    moving.message()
    moving.come(stand_by)
    moving.beat(stand_by)
    moving.die({stand_by})
    moving.beat(third)
    assert moving.queue == [third]
    moving.it_settles()


def test_an_owner_that_died_before_we_were_served_and_is_seen_only_then_is_not_trusted() -> None:
    owner, second, _third = ranking(MAILBOX, "abc")
    moving = Moving()
    moving.start({second})
    moving.beat(second)
    moving.beat(second)
    moving.come(owner)
    moving.beat(owner)
    moving.beat(owner)
    moving.die({owner})
    moving.message()
    moving.beat(second)
    assert moving.queue == [second]
    moving.it_settles()
