"""Rhythms: at which moments something happens, without a clock.

Invariant: the moment after another one is always later than it, so that who goes from one to the
next gets on, whatever daylight saving time does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from broker_actors.core.errors import ConfigurationError

#: The delay levels know no shorter wait.
PERIOD_MS_MIN: Final = 1_000


class Missed(StrEnum):
    """What becomes of ticks that were due while nobody could run them."""

    #: One is run as soon as possible, whatever their number.
    ONCE = "once"
    #: All are run, one after the other, up to a bound.
    ALL = "all"
    #: None is run.
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Every:
    """At regular intervals.

    Attributes:
        period_ms: from one to the next, in milliseconds.
        first_ms: the first of all, Unix milliseconds.

    """

    period_ms: int
    first_ms: int = 0

    def __str__(self) -> str:
        """Return `every 3600 s`."""
        return f"every {self.period_ms / 1000:g} s"


@dataclass(frozen=True, slots=True)
class At:
    """Once.

    Attributes:
        at_ms: when, Unix milliseconds.

    """

    at_ms: int

    def __str__(self) -> str:
        """Return `once`."""
        return "once"


@dataclass(frozen=True, slots=True)
class Cron:
    """By the wall clock of a place.

    Attributes:
        expression: five fields, as in a crontab.
        zone: name of the place's time zone, as `Europe/Berlin`.

    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what never happens.

        Raises:
            ConfigurationError: the expression cannot be read or never matches, or nobody knows the zone.

        """
        try:
            next(CronSim(self.expression, datetime(2000, 1, 1, tzinfo=_zone(self.zone))))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it never matches"
            text = f"cron {self.expression!r}: {why}; write five fields, as '0 9 * * mon-fri'"
            raise ConfigurationError(text) from None

    def __str__(self) -> str:
        """Return `cron 0 9 * * mon-fri Europe/Berlin`."""
        return f"cron {self.expression} {self.zone}"


Rhythm: TypeAlias = Every | At | Cron


@dataclass(frozen=True, slots=True)
class Plan:
    """When a reminder ticks, and what becomes of ticks that were missed.

    Attributes:
        rhythm: at which moments.
        missed: what becomes of those that are over when they can be run.
        start_ms: when the first one is to be, Unix milliseconds; 0 if that was not said.

    """

    rhythm: Rhythm
    missed: Missed = Missed.ONCE
    start_ms: int = 0


def begun(rhythm: Rhythm, start_ms: int, now_ms: int) -> tuple[Rhythm, int]:
    """Return *rhythm* as it is from now on, and its first moment.

    Args:
        rhythm: as it was declared.
        start_ms: when the first one is to be; 0 if that was not said.
        now_ms: Unix milliseconds.

    Raises:
        ConfigurationError: it has no moment.

    """
    match rhythm:
        case Every(period_ms=period_ms):
            first_ms = start_ms or now_ms + period_ms
            fixed = Every(period_ms, first_ms)
            # One that has begun long ago goes on in its rhythm.
            return fixed, first_ms if first_ms >= now_ms else _sure(next_ms(fixed, now_ms), rhythm)
        case At(at_ms=at_ms):
            # What is over already is due at once.
            return rhythm, max(at_ms, now_ms)
        case Cron():
            return rhythm, _sure(next_ms(rhythm, max(start_ms - 1, now_ms)), rhythm)


def next_ms(rhythm: Rhythm, after_ms: int) -> int | None:
    """Return the first moment of *rhythm* after that one, in Unix milliseconds; None if there is none."""
    match rhythm:
        case Every(period_ms=period_ms, first_ms=first_ms):
            if after_ms < first_ms:
                return first_ms
            return first_ms + ((after_ms - first_ms) // period_ms + 1) * period_ms
        case At(at_ms=at_ms):
            return at_ms if after_ms < at_ms else None
        case Cron(expression=expression, zone=zone):
            # Whole minutes: what comes after a moment within one comes after its beginning.
            after = datetime.fromtimestamp(after_ms // 60_000 * 60, UTC).astimezone(_zone(zone))
            try:
                found = next(CronSim(expression, after))
            except StopIteration:
                return None
            return round(found.timestamp() * 1000)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        text = (
            f"time zone {name!r} is not known here: write it as 'Europe/Berlin'; "
            "on a machine without time zones, pip install tzdata"
        )
        raise ConfigurationError(text) from None


def _sure(moment_ms: int | None, rhythm: Rhythm) -> int:
    if moment_ms is None:
        raise ConfigurationError(f"{rhythm} has no moment in the next 50 years")
    return moment_ms
