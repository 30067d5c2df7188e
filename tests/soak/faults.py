"""What happens to whom and when, by the seed of a soak."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from random import Random
from typing import Final


class Kind(StrEnum):
    """What may happen, in the order in which it does the first time: what stops everybody comes last."""

    FREEZE_WORKER = "SIGSTOP worker"
    DARKEN_BROKER = "black-hole broker"
    KILL_WORKER = "SIGKILL worker"
    DROP_COMMITS = "drop answers of store"
    CUT_BROKER = "cut broker connections"
    STOP_WORKER = "SIGTERM worker"
    DARKEN_STORE = "black-hole store"
    DROP_CONFIRMS = "drop answers of broker"
    CUT_STORE = "cut store connections"
    FREEZE_STORE = "SIGSTOP store"
    KILL_STORE = "SIGKILL store"
    FREEZE_BROKER = "SIGSTOP broker"
    KILL_LEADER = "SIGKILL leader"
    KILL_BROKER = "SIGKILL broker"


#: How long each lasts, from and to. A worker frozen or cut off for long is taken for dead, and wakes up.
_SECONDS: Final = {
    Kind.KILL_WORKER: (0.2, 2.0),
    Kind.FREEZE_WORKER: (1.0, 9.0),
    Kind.STOP_WORKER: (0.2, 2.0),
    Kind.KILL_BROKER: (0.2, 2.0),
    Kind.KILL_LEADER: (0.2, 2.0),
    Kind.FREEZE_BROKER: (0.5, 4.0),
    Kind.KILL_STORE: (0.2, 2.0),
    Kind.FREEZE_STORE: (0.5, 4.0),
    Kind.CUT_BROKER: (0.0, 0.0),
    Kind.CUT_STORE: (0.0, 0.0),
    Kind.DARKEN_BROKER: (0.5, 8.0),
    Kind.DARKEN_STORE: (0.5, 6.0),
    Kind.DROP_CONFIRMS: (0.5, 6.0),
    Kind.DROP_COMMITS: (0.2, 4.0),
}
#: Those that come first among everybody whom something may happen to.
_WORKERS: Final = 4
#: Only with several broker nodes.
OF_CLUSTERS: Final = frozenset({Kind.KILL_LEADER})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens.

    Attributes:
        at_seconds: after the beginning.
        kind: what.
        who: to whom: the number of a process, modulo how many there are.
        seconds: how long it lasts.
        late: whether what was held up arrives in the end.

    """

    at_seconds: float
    kind: Kind
    who: int
    seconds: float
    late: bool

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.at_seconds:8.2f} s  {self.kind} #{self.who} for {self.seconds:.1f} s"


def draw(seed: int, until_seconds: float, gap_seconds: float, kinds: Collection[Kind]) -> Iterator[Fault]:
    """Yield what happens until then: every kind once, then every kind again in some order, and so on.

    The first of each kind happens to a worker, where it matters most, and lasts as long as it
    may, so that also a short soak has long ones.
    """
    random = Random(seed)  # noqa: S311 - nobody is to be kept from guessing it
    at_seconds = 0.0
    for turn in count():
        order = [kind for kind in Kind if kind in kinds]
        if turn:
            random.shuffle(order)
        for kind in order:
            at_seconds += random.uniform(0.5, 1.5) * gap_seconds
            if at_seconds > until_seconds:
                return
            least, most = _SECONDS[kind]
            seconds = random.uniform(least, most) if turn else most
            who = random.randrange(1_000 if turn else _WORKERS)
            yield Fault(at_seconds, kind, who, seconds, random.random() < 0.5)
