"""A model of workers and a broker that move mailboxes about: it settles, and nothing is without service."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from functools import cache
from itertools import permutations
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker_actors.core.member import LEASE_SECONDS
from broker_actors.core.sharing import CONSUMERS, Standing, Step, is_certain, next_step, rankings

NAMES: Final = "abcd"
#: Shared out together: so many that one moves between two workers because a third one came, see below.
MAILBOXES: Final = tuple(f"actors.Counter.g1.{n}" for n in range(5))
#: How often each worker looks around until everything is where it belongs.
ROUNDS_MAX: Final = 8
#: For how many of them at the most a mailbox may change hands.
RESTLESS_ROUNDS_MAX: Final = 6
#: What a `Moving` keeps.
_OF_WORKERS: Final = ("workers", "said", "believed_seconds", "died_seconds", "looked_seconds", "told")
_KNOWN: Final = ("now_seconds", "mailboxes", "hand_overs", *_OF_WORKERS)


@cache
def ranked_of(mailboxes: tuple[str, ...], names: frozenset[str]) -> Mapping[str, list[str]]:
    return rankings(mailboxes, names)


class Mailbox:
    """What the broker and the workers know of one."""

    def __init__(self) -> None:
        #: Who consumes, in the order in which the broker got to know them: the first is served.
        self.queue: list[str] = []
        #: Since when a worker is served, and after when which owner said to consume, as a worker saw it.
        self.served_seconds: dict[str, float] = {}
        self.seen: dict[str, tuple[str, float]] = {}

    def lose(self, name: str) -> None:
        self.queue = [one for one in self.queue if one != name]
        self.served_seconds.pop(name, None)
        self.seen.pop(name, None)


class Moving(RuleBasedStateMachine):
    """Workers with views of different age, and a broker that serves whoever came first.

    The broker knows at once that a worker is dead; the others believe its last word for a lease.
    """

    @initialize(names=st.sets(st.sampled_from(NAMES), min_size=1))
    def start(self, names: set[str], shared: tuple[str, ...] = MAILBOXES) -> None:
        self.now_seconds = 100.0
        self.mailboxes = {mailbox: Mailbox() for mailbox in shared}
        self.workers = set(names)
        #: How often somebody who was served gave a mailbox up.
        self.hand_overs = 0
        #: The latest word of each worker, what it consumes, and until when that of a dead one is believed.
        self.said: dict[str, frozenset[str]] = {}
        self.believed_seconds: dict[str, float] = {}
        self.died_seconds: dict[str, float] = {}
        #: When a worker asked before the last time, and what it was told then, if it is still to act.
        self.looked_seconds: dict[str, float] = {}
        self.told: dict[str, tuple[dict[str, frozenset[str]], float]] = {}

    @rule(name=st.sampled_from(NAMES))
    def come(self, name: str) -> None:
        # A worker that starts again has another name.
        if name not in self.believed_seconds:
            self.workers.add(name)

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1))
    def die(self, names: set[str]) -> None:
        for name in sorted(names):
            self._die(name)

    def _die(self, name: str) -> None:
        if len(self.workers) > 1 and name in self.workers:
            self.workers.remove(name)
            for mailbox in self.mailboxes.values():
                mailbox.lose(name)
            self.looked_seconds.pop(name, None)
            self.told.pop(name, None)
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
    def messages(self) -> None:
        for mailbox in self.mailboxes.values():
            for name in mailbox.queue[:1]:
                mailbox.served_seconds.setdefault(name, self._now())

    @rule()
    def everybody_beats(self) -> None:
        for name in sorted(self.workers):
            self.beat(name)

    @rule(name=st.sampled_from(NAMES))
    def beat(self, name: str) -> None:
        self.ask(name)
        self.act(name)

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name: str) -> None:
        """Have *name* say what it consumes and be told what the others do; the answer takes its time."""
        if name in self.workers and name not in self.told:
            asked_seconds = self._now()
            self.said[name] = frozenset(key for key, one in self.mailboxes.items() if name in one.queue)
            self.told[name] = dict(self.said), asked_seconds

    @rule(name=st.sampled_from(NAMES))
    def act(self, name: str) -> None:
        """Have *name* do what it should by what it was told."""
        if name in self.told:
            said, asked_seconds = self.told.pop(name)
            for mailbox, ranked in self._ranked(said).items():
                consumers = {one for one, consuming in said.items() if mailbox in consuming}
                owner = ranked[0] if ranked[0] in consumers else ""
                standing = self._standing(name, self.mailboxes[mailbox], owner, asked_seconds)
                step = next_step(name, ranked, consumers, standing)
                self._take(step, name, self.mailboxes[mailbox], ranked[0])
            self.looked_seconds[name] = asked_seconds

    def _take(self, step: Step, name: str, mailbox: Mailbox, owner: str) -> None:
        if step is Step.OPEN:
            mailbox.queue.append(name)
        if step in {Step.CLOSE, Step.YIELD}:
            self._check(name, mailbox, owner)
            self.hand_overs += name in mailbox.served_seconds
            mailbox.queue.remove(name)
            mailbox.served_seconds.pop(name, None)
        if step is Step.YIELD:
            mailbox.queue.append(name)

    def _check(self, name: str, mailbox: Mailbox, owner: str) -> None:
        """Check that nobody who is served leaves unless the owner was there after that began."""
        if name in mailbox.served_seconds and len(mailbox.queue) == 1:
            assert self.died_seconds[owner] > mailbox.served_seconds[name], "somebody is there to take over"

    def _ranked(self, names: Collection[str]) -> Mapping[str, list[str]]:
        return ranked_of(tuple(self.mailboxes), frozenset(names))

    def _now(self) -> float:
        # No two things happen at the same moment.
        self.now_seconds += 0.001
        return self.now_seconds

    def _standing(self, name: str, mailbox: Mailbox, owner: str, asked_seconds: float) -> Standing:
        """Return how *name* stands to *mailbox*, whose *owner* says to consume it; empty if it does not."""
        if not owner:
            mailbox.seen.pop(name, None)
        elif mailbox.seen.get(name, ("",))[0] != owner:
            mailbox.seen[name] = owner, self.looked_seconds.get(name, 0.0)
        served_seconds = mailbox.served_seconds.get(name)
        seen_seconds = mailbox.seen.get(name, ("", 0.0))[1]
        return Standing(
            consuming=name in mailbox.queue,
            served=served_seconds is not None,
            certain=served_seconds is not None and is_certain(served_seconds, seen_seconds, asked_seconds),
        )

    @invariant()
    def it_settles(self) -> None:
        """Left alone, every owner is served, one more stands by, and nothing is handed to and fro."""
        left_alone = self._copy()
        for round_number in range(ROUNDS_MAX):
            before = left_alone.hand_overs
            left_alone.later(LEASE_SECONDS + 1.0)
            for name in sorted(left_alone.workers):
                left_alone.messages()
                left_alone.act(name)
                left_alone.beat(name)
            assert left_alone.hand_overs == before or round_number < RESTLESS_ROUNDS_MAX, "to and fro"
        for key, ranked in self._ranked(left_alone.workers).items():
            assert left_alone.mailboxes[key].queue == ranked[:CONSUMERS]

    def _copy(self) -> Moving:
        left_alone = Moving()
        for name in _KNOWN:
            setattr(left_alone, name, copy.deepcopy(getattr(self, name)))
        return left_alone


TestMoving = Moving.TestCase
TestMoving.settings = settings(stateful_step_count=25)


def test_the_last_one_stays_although_dead_workers_still_say_to_consume() -> None:
    """The model's own steps, in an order that is seldom drawn."""
    [mailbox] = MAILBOXES[:1]
    owner, stand_by, third = rankings([mailbox], "abc")[mailbox]
    moving = Moving()
    moving.start({owner, third}, (mailbox,))
    for name in (owner, third, owner, third):
        moving.beat(name)
    moving.die({owner})
    moving.messages()
    moving.come(stand_by)
    moving.beat(stand_by)
    moving.die({stand_by})
    moving.beat(third)
    assert moving.mailboxes[mailbox].queue == [third]
    moving.it_settles()


def test_an_owner_that_died_before_we_were_served_and_is_seen_only_then_is_not_trusted() -> None:
    [mailbox] = MAILBOXES[:1]
    owner, second, _third = rankings([mailbox], "abc")[mailbox]
    moving = Moving()
    moving.start({second}, (mailbox,))
    moving.beat(second)
    moving.beat(second)
    moving.come(owner)
    moving.beat(owner)
    moving.beat(owner)
    moving.die({owner})
    moving.messages()
    moving.beat(second)
    assert moving.mailboxes[mailbox].queue == [second]
    moving.it_settles()


def test_a_late_answer_that_names_the_dead_makes_nobody_leave() -> None:
    [mailbox] = MAILBOXES[:1]
    owner, second = rankings([mailbox], "ab")[mailbox]
    moving = Moving()
    moving.start({owner}, (mailbox,))
    moving.beat(owner)
    moving.beat(owner)
    moving.come(second)
    moving.beat(second)
    moving.die({owner})
    moving.messages()
    moving.ask(second)
    moving.later(LEASE_SECONDS + 1.0)
    moving.act(second)
    assert second in moving.mailboxes[mailbox].served_seconds
    moving.it_settles()


def test_who_wins_a_mailbox_before_it_has_heard_why_does_not_give_it_back() -> None:
    """A third one came, and only the one who loses the mailbox to the second has heard of it."""
    mailbox, loser, winner, newcomer = _cascade()
    moving = Moving()
    moving.start({loser, winner})
    for _ in range(ROUNDS_MAX):
        moving.everybody_beats()
        moving.messages()
        moving.later(LEASE_SECONDS + 1.0)
    assert moving.mailboxes[mailbox].queue == [loser, winner]
    moving.ask(winner)
    moving.come(newcomer)
    moving.beat(newcomer)
    moving.beat(loser)
    moving.messages()
    assert moving.mailboxes[mailbox].queue[0] == winner
    moving.act(winner)
    moving.messages()
    assert moving.mailboxes[mailbox].queue[0] == winner
    moving.it_settles()


def _cascade() -> tuple[str, str, str, str]:
    """Return a mailbox, who loses it to whom because somebody else came, and that one."""
    for one, other, newcomer in permutations(NAMES, 3):
        before, after = rankings(MAILBOXES, [one, other]), rankings(MAILBOXES, [one, other, newcomer])
        for mailbox in MAILBOXES:
            if (before[mailbox][0], after[mailbox][0]) == (one, other):
                return mailbox, one, other, newcomer
    raise AssertionError("no mailbox moves but to the one who comes")
