"""Who has a place of a limiter, and who waits for one: decided by order and time alone.

Places are leased: who holds one keeps it by renewing, and so does who waits keep its place in
the line by asking again. Invariants: who waits is served in the order of arrival, whoever asks
more often; a token is higher than every token given before; at no time do more hold a place
than there are places, counted by the one who was let in last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from broker_actors.core.checks import is_whole
from broker_actors.core.errors import ConfigurationError

#: Who has not asked for so long has gone away, or died: others move up.
PATIENCE_SECONDS: Final = 5.0
#: The line of one limiter; each process stands in it once for each of its limiters.
WAITING_MAX: Final = 10_000
#: Places of one limiter: all who hold one are looked at with every step.
PLACES_MAX: Final = 1_000
#: A lease must bear that a renewal is a little late.
LEASE_MS_MIN: Final = 1_000
LEASE_MS_MAX: Final = 86_400_000
#: Between two times of asking, from the first to the last: small beside `PATIENCE_SECONDS`.
_ASK_FIRST_SECONDS: Final = 0.02
_ASK_LAST_SECONDS: Final = 0.5
_DOUBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody asks for.

    Attributes:
        places: how many may hold a place, by its own account.
        lease_ms: how long it keeps the place without renewing.

    """

    places: int
    lease_ms: int

    def __post_init__(self) -> None:
        """Refuse what would let in nobody, or for no time.

        Raises:
            ConfigurationError: a number is out of its bounds.

        """
        if not is_whole(self.places):
            raise ConfigurationError(f"places={self.places!r} must be a whole number")
        if not 1 <= self.places <= PLACES_MAX:
            raise ConfigurationError(f"places={self.places}: a limiter has 1 to {PLACES_MAX:,}")
        if not LEASE_MS_MIN <= self.lease_ms <= LEASE_MS_MAX:
            text = f"a lease of {self.lease_ms / 1000:g} s: it takes 1 s to a day, more than any pause"
            raise ConfigurationError(text)


@dataclass(frozen=True, slots=True)
class Granted:
    """It holds a place. The token is higher than any that was given before."""

    token: int


@dataclass(frozen=True, slots=True)
class Waits:
    """It stands in the line, with so many to be served before it."""

    ahead: int


@dataclass(frozen=True, slots=True)
class LineFull:
    """Too many wait already; it does not stand in the line."""


Answer: TypeAlias = Granted | Waits | LineFull


@dataclass(frozen=True, slots=True)
class Held:
    """A place that somebody has, until then."""

    token: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Places:
    """One limiter.

    Attributes:
        token: the highest that was given.
        holders: who has a place.
        waiting: who waits, in order of arrival, and until when without asking again.

    """

    token: int = 0
    holders: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))
    waiting: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def take(self, holder: str, terms: Terms, now_ms: int) -> tuple[Places, Answer]:
        """Return what is so after *holder* has asked for a place, or asked again, and its answer."""
        now = self._at(now_ms)
        until_ms = now_ms + terms.lease_ms
        if (held := now.holders.get(holder)) is not None:
            again = replace(now, holders={**now.holders, holder: Held(held.token, until_ms)})
            return again, Granted(held.token)
        if holder not in now.waiting and len(now.waiting) >= WAITING_MAX:
            return now, LineFull()
        waiting = {**now.waiting, holder: now_ms + round(PATIENCE_SECONDS * 1000)}
        ahead = list(waiting).index(holder)
        if ahead >= terms.places - len(now.holders):
            return replace(now, waiting=waiting), Waits(ahead)
        del waiting[holder]
        token = max(now.token + 1, now_ms)
        return Places(token, {**now.holders, holder: Held(token, until_ms)}, waiting), Granted(token)

    def renew(self, holder: str, lease_ms: int, now_ms: int) -> tuple[Places, bool]:
        """Return what is so after *holder* has renewed, and whether it still had its place."""
        now = self._at(now_ms)
        held = now.holders.get(holder)
        if held is None:
            return now, False
        return replace(now, holders={**now.holders, holder: Held(held.token, now_ms + lease_ms)}), True

    def leave(self, holder: str, now_ms: int) -> Places:
        """Return what is so after *holder* has given its place back, or left the line."""
        now = self._at(now_ms)
        return replace(
            now,
            holders={name: held for name, held in now.holders.items() if name != holder},
            waiting={name: until_ms for name, until_ms in now.waiting.items() if name != holder},
        )

    def _at(self, now_ms: int) -> Places:
        """Return what is left of it when those whose time is up are gone."""
        return replace(
            self,
            holders={name: held for name, held in self.holders.items() if held.until_ms > now_ms},
            waiting={name: until_ms for name, until_ms in self.waiting.items() if until_ms > now_ms},
        )


def ask_again_seconds(asked: int, chance: float) -> float:
    """Return how long to wait after asking for the *asked*th time (from 1), for *chance* in [0, 1)."""
    bound = min(_ASK_LAST_SECONDS, _ASK_FIRST_SECONDS * 2.0 ** min(asked - 1, _DOUBLINGS_MAX))
    # Not from zero: whoever waits long should not ask often by chance.
    return bound * (0.5 + chance / 2)
