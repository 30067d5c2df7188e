"""A circuit breaker, decided by what was reported and by time alone.

Closed, it lets all calls through and counts failures in a row. At the threshold it opens: calls
are refused for a while. Then it is half open: a few calls are let through as probes, and the
first that ends decides whether it closes or opens again.

Invariants: in each `reset_seconds` in which it is not closed, at most `probes` calls are let
through; a call counts only in the phase it was let through in, so that one which began long ago,
or never ends, decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from broker_actors.core.checks import is_whole
from broker_actors.core.errors import ConfigurationError

PROBES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens, and how it closes.

    Attributes:
        failures: so many in a row open it.
        reset_seconds: how long it is open before it lets a probe through.
        probes: calls under way at a time while it is half open.

    """

    failures: int = 5
    reset_seconds: float = 30.0
    probes: int = 1

    def __post_init__(self) -> None:
        """Refuse rules by which it could never open or close.

        Raises:
            ConfigurationError: a number is out of its bounds.

        """
        if not (is_whole(self.failures) and is_whole(self.probes)):
            text = f"failures={self.failures!r} and probes={self.probes!r} must be whole numbers"
            raise ConfigurationError(text)
        if self.failures < 1:
            raise ConfigurationError(f"failures={self.failures}: a breaker opens after at least one")
        if not 1 <= self.probes <= PROBES_MAX:
            raise ConfigurationError(f"probes={self.probes}: from 1 to {PROBES_MAX:,}")


@dataclass(frozen=True, slots=True)
class Closed:
    """Everything is let through."""

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """Nothing is let through until then."""

    until_seconds: float


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """So many probes are under way. What has not ended by then is not waited for."""

    probes: int
    until_seconds: float


Phase: TypeAlias = Closed | Open | HalfOpen


@dataclass(frozen=True, slots=True)
class Circuit:
    """A breaker at one moment.

    Attributes:
        phase: what it does.
        number: of the phase; what is let through in it reports with it.

    """

    phase: Phase = Closed()
    number: int = 0

    def admit(self, rules: Rules, now_seconds: float) -> tuple[Circuit, float]:
        """Return what is so after a call has asked, and how long it is to wait: 0 if it is let through."""
        match self.phase:
            case Closed():
                return self, 0.0
            case Open(until_seconds) if now_seconds < until_seconds:
                return self, until_seconds - now_seconds
            case HalfOpen(probes, until_seconds) if now_seconds < until_seconds:
                if probes >= rules.probes:
                    return self, until_seconds - now_seconds
                return replace(self, phase=HalfOpen(probes + 1, until_seconds)), 0.0
            case Open() | HalfOpen():
                return self._next(HalfOpen(1, now_seconds + rules.reset_seconds)), 0.0

    def succeeded(self, number: int) -> Circuit:
        """Return what is so after a call of the phase *number* has succeeded."""
        if number != self.number:
            return self
        return replace(self, phase=Closed()) if isinstance(self.phase, Closed) else self._next(Closed())

    def failed(self, number: int, rules: Rules, now_seconds: float) -> Circuit:
        """Return what is so after a call of the phase *number* has failed."""
        if number != self.number:
            return self
        if isinstance(self.phase, Closed) and self.phase.failures + 1 < rules.failures:
            return replace(self, phase=Closed(self.phase.failures + 1))
        return self._next(Open(now_seconds + rules.reset_seconds))

    def given_up(self, number: int) -> Circuit:
        """Return what is so after a call of the phase *number* has ended without telling anything."""
        if number == self.number and isinstance(self.phase, HalfOpen):
            return replace(self, phase=replace(self.phase, probes=self.phase.probes - 1))
        return self

    def _next(self, phase: Phase) -> Circuit:
        return Circuit(phase, self.number + 1)
