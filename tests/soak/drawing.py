"""What a sender calls next, by its seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final

#: Actors a sender calls at a time, and what it sends to one before it goes on to the next generation.
SLOTS: Final = 12
CALLS_PER_ACTOR: Final = 25
BURST_MAX: Final = 12
SLOW_SECONDS: Final = 0.2


class Way(StrEnum):
    """How a call is made."""

    TELL = "tell"
    ASK = "ask"
    KEYED_TELL = "keyed tell"
    KEYED_ASK = "keyed ask"
    #: Two asks at once under one key.
    TWIN_ASKS = "twin asks"
    DELAYED = "delayed tell"
    READ = "read"


_WEIGHTS: Final = {
    Way.TELL: 24,
    Way.ASK: 10,
    Way.KEYED_TELL: 2,
    Way.KEYED_ASK: 2,
    Way.TWIN_ASKS: 1,
    Way.DELAYED: 1,
    Way.READ: 2,
}
ASKS: Final = frozenset({Way.ASK, Way.KEYED_ASK, Way.TWIN_ASKS, Way.READ})
#: Made again, under the same key, until something is known.
KEYED: Final = frozenset({Way.KEYED_ASK, Way.KEYED_TELL, Way.TWIN_ASKS})


@dataclass(slots=True)
class Planned:
    """One call to be made.

    Attributes:
        name: of the message.
        number: among all of the sender.
        actor: its target.
        way: how it is made.
        amount: what it adds.
        plan: what its turn does; see `actors.Account.put`.

    """

    name: str
    number: int
    actor: str
    way: Way
    amount: int
    plan: list[str] = field(default_factory=list[str])

    @property
    def is_bad(self) -> bool:
        """Whether its actor refuses it."""
        return "refuse" in self.plan

    @property
    def may_fail(self) -> bool:
        """Whether an ask may end with a fault, because its turn may run more than once."""
        return any(step == "fail" or step.startswith("ask:") for step in self.plan)

    @property
    def keeps_order(self) -> bool:
        """Whether its place among others of the sender to the same actor is promised, confirmed at once."""
        return self.way in {Way.TELL, Way.ASK} and "fail" not in self.plan

    @property
    def tells(self) -> list[tuple[str, str]]:
        """What its turn tells whom."""
        steps = [step.partition(":") for step in self.plan]
        return [(f"{self.name}>{n}", rest) for n, (verb, _, rest) in enumerate(steps) if verb == "tell"]


class Drawing:
    """The calls of one sender."""

    def __init__(self, sender: str, seed: str) -> None:
        self._sender = sender
        self._random = Random(seed)  # noqa: S311 - nobody is to be kept from guessing it
        self._number = 0
        self._sent = [0] * SLOTS

    def burst(self) -> Iterator[Planned]:
        """Yield calls to be made without waiting between: several tells to one actor, or one call."""
        way = self._random.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
        slot = self._random.randrange(SLOTS)
        for _ in range(self._random.randint(1, BURST_MAX) if way is Way.TELL else 1):
            yield self._next(way, slot)

    def slow_burst(self) -> Iterator[Planned]:
        """Yield tells to one actor whose turns are slow, so that somebody is always in the midst of one."""
        slot = self._random.randrange(SLOTS)
        for _ in range(self._random.randint(1, BURST_MAX)):
            planned = self._next(Way.TELL, slot)
            planned.plan = [f"wait:{SLOW_SECONDS}"]
            yield planned

    def _next(self, way: Way, slot: int) -> Planned:
        self._number += 1
        name, actor = f"{self._sender}.{self._number}", self._actor(slot)
        self._sent[slot] += 1
        plan = [] if way is Way.READ else self._plan(slot)
        return Planned(name, self._number, actor, way, self._random.randint(1, 9), plan)

    def _actor(self, slot: int) -> str:
        return f"a{slot}.{self._sent[slot] // CALLS_PER_ACTOR}"

    def _plan(self, slot: int) -> list[str]:
        random, plan = self._random, list[str]()
        others = [other for other in range(SLOTS) if other != slot]
        chance = random.random()
        if chance < 0.12:
            plan = [f"tell:{self._actor(other)}" for other in random.sample(others, random.randint(1, 2))]
        elif chance < 0.15 and slot < SLOTS - 1:
            # Always upwards: two that ask each other wait for nothing but their deadlines.
            plan = [f"ask:{self._actor(random.randrange(slot + 1, SLOTS))}"]
        chance = random.random()
        if chance < 0.05:
            plan.append(f"wait:{random.choice((0.02, 0.1, 0.3))}")
        elif chance < 0.06:
            plan.append("fail")
        elif chance < 0.07:
            plan.append("refuse")
        return plan
