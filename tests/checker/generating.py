"""Histories of a platform that keeps its promises, to be spoilt by tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.checker.history import Answer, Call, Claimed, Committed, Form, Held, History, Letter, Outcome, Told

#: Of the clock between two calls of all senders.
STEP = 1_000


@dataclass
class Platform:
    """Actors that take what they are sent, one after the other, and a history of it."""

    calls: list[Call] = field(default_factory=list[Call])
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    totals: dict[str, int] = field(default_factory=dict[str, int])
    letters: list[Letter] = field(default_factory=list[Letter])
    now: int = 0

    def take(self, name: str, actor: str, amount: int) -> Answer:
        """Let *actor* take a message."""
        before = self.totals.get(actor, 0)
        self.totals[actor] = before + amount
        self.names.setdefault(actor, []).append(name)
        return Answer(len(self.names[actor]), before, before + amount)

    def call(self, call: Call, *, has_effect: bool = True) -> None:
        """Make *call*, as its outcome says."""
        self.now += STEP
        call.began, call.ended, call.deadline = self.now, self.now + STEP // 2, self.now + STEP
        if call.form is Form.READ:
            place, total = len(self.names.get(call.actor, ())), self.totals.get(call.actor, 0)
            call.answers = [Answer(place, total, total)]
        elif call.is_bad and call.form is Form.TELL:
            self.letters.append(Letter(f"letter of {call.name}", call.name, "rejected"))
        elif has_effect and not call.is_bad:
            answer = self.take(call.name, call.actor, call.amount)
            if call.outcome is Outcome.ANSWERED:
                call.answers = [answer]
            for told in call.tells:
                self.take(told.name, told.actor, 1)
        self.calls.append(call)

    def history(self) -> History:
        """Return what happened."""
        held = {actor: Held(names, self.totals[actor]) for actor, names in self.names.items()}
        commits = [
            Committed(actor, 1, version, f"{actor} {version}", fenced=False)
            for actor, names in self.names.items()
            for version in range(len(names))
        ]
        claims = [Claimed(actor, 1, 0) for actor in self.names]
        return History(self.calls, held, claims, commits, self.letters)


def generate(seed: int, calls: int, actors: int = 5, senders: int = 3) -> History:
    """Return a right history of so many calls."""
    random, platform = Random(seed), Platform()  # noqa: S311 - nobody is to be kept from guessing it
    for number in range(calls):
        sender = f"s{random.randrange(senders)}"
        _one(platform, random, f"{sender}.{number}", (sender, number), actors)
    return platform.history()


def _one(platform: Platform, random: Random, name: str, by: tuple[str, int], actors: int) -> None:
    actor = f"a{random.randrange(actors)}"
    form = random.choices(tuple(Form), (10, 3, 1))[0]
    outcome = Outcome.CONFIRMED if form is Form.TELL else Outcome.ANSWERED
    call = Call(name, *by, actor, form, outcome, amount=random.randint(1, 9), in_order=True)
    chance = random.random()
    if form is not Form.READ and chance < 0.05:
        call.is_bad = True
        if form is Form.ASK:
            call.outcome = Outcome.REFUSED
    elif form is not Form.READ and chance < 0.10:
        call.outcome = Outcome.UNKNOWN
    elif form is not Form.READ and chance < 0.25:
        call.tells = _told(random, name, actors)
    platform.call(call, has_effect=call.outcome is not Outcome.UNKNOWN or random.random() < 0.5)


def _told(random: Random, name: str, actors: int) -> Sequence[Told]:
    return [
        Told(f"{name}>{n}", f"a{random.randrange(actors)}", in_order=True)
        for n in range(random.randint(1, 2))
    ]
