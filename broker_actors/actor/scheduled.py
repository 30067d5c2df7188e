"""The handle on a delayed tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from broker_actors.actor.context import current_caller
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.scheduled import Scheduled
from broker_actors.ports.calling import Caller

_YEAR_MAX: Final = 2200


class ScheduledTell:
    """A tell that waits for its time, and can be cancelled until it has run.

    Its `id` is a text that can be kept, as in an actor's state; `system.scheduled(id)`, or
    `turn.current().scheduled(id)` inside a turn, makes a handle of it again, in any process.
    """

    __slots__ = ("_caller", "_entry")

    def __init__(self, entry: Scheduled, caller: Caller) -> None:
        self._entry = entry
        self._caller = caller

    @property
    def id(self) -> str:
        """Names it: `Counter/c1/d%3A5f...`."""
        return self._entry.id

    @property
    def due(self) -> datetime | None:
        """When it arrives, in UTC; None for a handle that was made of an id."""
        due_ms = self._entry.due_ms
        return datetime.fromtimestamp(due_ms / 1000, UTC) if due_ms else None

    async def cancel(self) -> bool:
        """See to it that it never runs. At once, inside a turn, too; idempotent.

        Returns:
            Whether that is so: False if it has run, or failed, already. One that runs at this moment
            is rolled back. An actor of `at_least_once` may still run one that is due.

        Raises:
            PlatformError: the store did not answer; it may be cancelled.

        """
        return await (current_caller() or self._caller).cancel(self._entry)

    def __eq__(self, other: object) -> bool:
        """Return whether *other* is a handle on the same tell."""
        return isinstance(other, ScheduledTell) and self.id == other.id

    def __hash__(self) -> int:
        """Return the hash of its name."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Return `<scheduled Counter/c1.increment at 2030-01-01 00:00:00+00:00>`."""
        what = f"{self._entry.address}.{self._entry.method}" if self._entry.method else self.id
        return f"<scheduled {what}{f' at {self.due}' if self.due else ''}>"


def moment_ms(when: datetime) -> int:
    """Return *when* in Unix milliseconds.

    Raises:
        ConfigurationError: it has no time zone, or is too far away.

    """
    if not _is_moment(when):
        text = (
            f"{when!r} is no moment: pass a datetime with a time zone, as `datetime.now(UTC)` is, "
            "for nobody knows where this worker is"
        )
        raise ConfigurationError(text)
    if not 1970 < when.year < _YEAR_MAX:  # noqa: PLR2004 - where Unix time begins
        raise ConfigurationError(f"{when!r} must be between 1971 and {_YEAR_MAX}")
    return round(when.timestamp() * 1000)


def _is_moment(value: object) -> bool:
    # What reads a configuration file may pass anything.
    return isinstance(value, datetime) and value.tzinfo is not None
