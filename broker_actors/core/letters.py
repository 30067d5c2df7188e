"""Which dead letters are meant, which belong together, and what one of them went through.

What belongs here: decisions about letters that were read, as functions of the letters; reading
one is in `dead`. Invariant: a letter that does not say something matches no condition about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker_actors.core import dead, history
from broker_actors.core.dead import DeadLetter

#: What tells two errors of one kind apart: words with digits, such as ids, dates and ports. Short numbers are
#: often what the kind is: a status, an exit code.
_PARTICULAR: Final = re.compile(r"(?<![\w-])(?!\d{1,3}(?![\w-]))(?=[\w-]*\d)[\w-]+")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed run of a message that became a dead letter."""

    number: int
    after_seconds: float
    error: str


def attempts_of(letter: DeadLetter) -> list[Attempt]:
    """Return what every run of *letter* failed with, and how long after the first one."""
    found: list[Attempt] = []
    first_ms: int | None = None
    for entry in history.read(letter.history):
        match entry:
            case {"attempt": int(number), "at_ms": int(at_ms), "error": str(error)}:
                first_ms = at_ms if first_ms is None else first_ms
                found.append(Attempt(number, (at_ms - first_ms) / 1000, error))
            case _:
                continue
    return found


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on a letter, all of which it must meet; what is empty is no condition.

    Attributes:
        ids: it is one of these.
        reason: why it is here.
        error: in its error, in whatever case.
        actor: the id of the actor it was for, or its address.
        method: that it called.
        older_than_seconds: it died so long ago; 0 for no condition.

    """

    ids: frozenset[str] = frozenset()
    reason: str = ""
    error: str = ""
    actor: str = ""
    method: str = ""
    older_than_seconds: float = 0.0

    @property
    def is_everything(self) -> bool:
        """Whether there is no condition."""
        return self == Selection()

    def matches(self, letter: DeadLetter, now_ms: int) -> bool:
        """Return whether *letter* is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and self.reason in {"", letter.reason}
            and self.error.casefold() in letter.error.casefold()
            and self.method in {"", letter.message.type}
            and (not self.actor or self._is_for_it(letter))
            and (not self.older_than_seconds or self._is_older(letter, now_ms))
        )

    def _is_for_it(self, letter: DeadLetter) -> bool:
        address = dead.address_of(letter)
        return address is not None and self.actor in {address.id, str(address)}

    def _is_older(self, letter: DeadLetter, now_ms: int) -> bool:
        return 0 < letter.died_ms <= now_ms - self.older_than_seconds * 1000


@dataclass(frozen=True, slots=True)
class Group:
    """Letters that died of the same.

    Attributes:
        reason: why they are here.
        error: their error, with `...` where it names something else in each.
        count: how many there are.
        oldest_ms: when the first of them died; 0 if none says.
        newest_ms: when the last of them died; 0 if none says.
        example: the id of the first one in the queue.

    """

    reason: str
    error: str
    count: int
    oldest_ms: int
    newest_ms: int
    example: str


def grouped(letters: Iterable[DeadLetter]) -> list[Group]:
    """Return the groups of *letters*, the largest first."""
    members: dict[tuple[str, str], list[DeadLetter]] = {}
    for letter in letters:
        members.setdefault((letter.reason, _kind(letter.error)), []).append(letter)
    groups = [_group(some) for some in members.values()]
    return sorted(groups, key=lambda group: -group.count)


def _group(some: list[DeadLetter]) -> Group:
    died = [letter.died_ms for letter in some if letter.died_ms]
    first = some[0]
    is_same = all(letter.error == first.error for letter in some)
    error = first.error if is_same else _kind(first.error)
    return Group(first.reason, error, len(some), min(died, default=0), max(died, default=0), first.id)


def _kind(error: str) -> str:
    return _PARTICULAR.sub("...", error)
