"""A circuit breaker around any awaitable, in this process.

Invariant: every call that was let through is reported exactly once, however it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from broker_actors.actor.durations import Duration, seconds
from broker_actors.core.circuit import Circuit, Closed, HalfOpen, Rules
from broker_actors.core.errors import BusinessError, CircuitOpenError, ConfigurationError
from broker_actors.patterns.timing import LoopTimer
from broker_actors.ports.clock import Timer

P = ParamSpec("P")
R = TypeVar("R")


def is_outage(error: Exception) -> bool:
    """Return whether *error* says that what was called is in trouble, rather than what was asked of it."""
    return not isinstance(error, BusinessError | ConfigurationError | CircuitOpenError)


class CircuitBreaker:
    """Refuses calls at once while they fail anyway.

    Make one for each thing that may be down, and keep it: `await breaker.call(client.get, url)`.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        reset: Duration = 30.0,
        probes: int = 1,
        counts: Callable[[Exception], bool] = is_outage,
        timer: Timer | None = None,
    ) -> None:
        """Begin closed.

        Args:
            name: what it guards, for the error.
            failures: so many in a row open it.
            reset: how long it is open before it lets a probe through, in seconds or as a timedelta.
            probes: calls let through at a time before one of them has succeeded.
            counts: which errors are failures; others are answers. By default `is_outage`: not what an actor
                refuses, and not what was called wrongly.
            timer: time; the running loop's by default.

        Raises:
            ConfigurationError: a number is out of its bounds.

        """
        self.name = name
        self._rules = Rules(failures, seconds(reset, "reset"), probes)
        self._counts = counts
        self._timer = timer or LoopTimer()
        self._circuit = Circuit()

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        match self._circuit.phase:
            case Closed():
                return "closed"
            case HalfOpen():
                return "half-open"
            case _:
                return "open"

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns.

        Raises:
            CircuitOpenError: it was not called.
            Exception: whatever it raises.

        """
        now_seconds = self._timer.monotonic_seconds()
        self._circuit, wait_seconds = self._circuit.admit(self._rules, now_seconds)
        if wait_seconds > 0:
            text = f"circuit breaker {self.name!r} is {self.state}: it was not called"
            raise CircuitOpenError(f"{text}; try again in {wait_seconds:.1f} s")
        number = self._circuit.number
        try:
            result = await function(*args, **kwargs)
        except Exception as error:
            if self._counts(error):
                self._circuit = self._circuit.failed(number, self._rules, self._timer.monotonic_seconds())
            else:
                self._circuit = self._circuit.succeeded(number)
            raise
        except BaseException:
            # Cancelled: nobody knows what would have come of it.
            self._circuit = self._circuit.given_up(number)
            raise
        self._circuit = self._circuit.succeeded(number)
        return result

    def __repr__(self) -> str:
        """Return `<circuit breaker payments: open>`."""
        return f"<circuit breaker {self.name}: {self.state}>"
