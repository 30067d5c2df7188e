"""`remind` and `start_timer`: what a method can ask its own actor to do later, again and again.

    await remind("report", cron("0 9 * * mon-fri", "Europe/Berlin"), self.report, "daily")

The runtime keeps what is asked for together with the turn's commit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MethodType
from typing import Final, ParamSpec, cast

from broker_actors.actor.context import TurnScope, current_caller
from broker_actors.actor.durations import Duration, seconds
from broker_actors.actor.method import AnyMethod, Method
from broker_actors.actor.plain import simplify
from broker_actors.actor.scheduled import moment_ms
from broker_actors.actor.signature import Kind
from broker_actors.core.errors import ConfigurationError, OutOfTurnError
from broker_actors.core.rhythm import PERIOD_MS_MIN, At, Cron, Every, Missed, Plan
from broker_actors.ports.calling import Call

P = ParamSpec("P")

TIMER_SECONDS_MIN: Final = 0.01


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder the actor has.

    Attributes:
        name: by which it is replaced and removed.
        method: what a tick calls.
        due: when the next tick is due, in UTC.
        rhythm: when it ticks, for people: `every 60 s`, `once`, `cron 0 9 * * mon-fri Europe/Berlin`.
        missed: what becomes of ticks that could not be run in time.

    """

    name: str
    method: str
    due: datetime
    rhythm: str
    missed: Missed


def every(period: Duration, *, first: datetime | None = None, missed: str = Missed.ONCE) -> Plan:
    """Return a plan of regular ticks.

    Args:
        period: from one tick to the next, one second or more: seconds, or a timedelta.
        first: when the first one is; one period from now by default.
        missed: what becomes of ticks nobody could run in time: `once` runs one for all of them, `all` runs
            each of them, up to 1,000, `skip` none that is over a minute late.

    Raises:
        ConfigurationError: the period is too short, or *first* or *missed* cannot be.

    """
    period_ms = round(seconds(period, "period") * 1000)
    if period_ms < PERIOD_MS_MIN:
        text = f"period={period!r}: a reminder ticks once a second at most; what is faster is a timer's"
        raise ConfigurationError(text)
    return Plan(Every(period_ms), _missed(missed), 0 if first is None else moment_ms(first))


def at(when: datetime, *, missed: str = Missed.ONCE) -> Plan:
    """Return a plan of one tick at *when*, a datetime with a time zone; at once if that is over.

    Raises:
        ConfigurationError: *when* has no time zone, or *missed* cannot be.

    """
    return Plan(At(moment_ms(when)), _missed(missed))


def cron(expression: str, zone: str = "UTC", *, missed: str = Missed.ONCE) -> Plan:
    """Return a plan of ticks by the wall clock of a place.

    When clocks go forward, a tick in the hour that is left out comes at its end; when they go back,
    one at a fixed time comes once.

    Args:
        expression: five fields as in a crontab: minute, hour, day of the month, month, day of the week.
        zone: the time zone's name, as `Europe/Berlin`.
        missed: see `every`.

    Raises:
        ConfigurationError: the expression never matches, nobody knows the zone, or *missed* cannot be.

    """
    return Plan(Cron(expression, zone), _missed(missed))


async def remind(
    name: str, plan: Plan, method: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> None:
    """Have a method of this actor called by *plan*, also when it is not in memory, until `forget`.

    A reminder of that name is replaced. The same declaration again changes nothing, so it may be
    made in every turn, as in `activate`.

    Args:
        name: of the reminder; an actor may have 100.
        plan: `every`, `at` or `cron`.
        method: of the actor itself: `self.report`.
        args: for the method.
        kwargs: for the method.

    Raises:
        OutOfTurnError: no turn runs here.
        InvalidArgumentsError: the arguments do not fit the method.
        ConfigurationError: the actor keeps no state (`at_least_once`) or has too many reminders, or the
            name cannot be.
        PayloadTooLargeError: the arguments have more than 64 KiB.
        PlatformError: the store does not answer.

    """
    scope = running("remind()")
    await scope.clockwork.remind(name, plan, own_call(scope, method, args, kwargs))


async def forget(name: str, /) -> bool:
    """Remove the reminder *name* of this actor; return whether it had one.

    Raises:
        OutOfTurnError: no turn runs here.
        PlatformError: the store does not answer.

    """
    return await running("forget()").clockwork.forget(name)


async def reminders() -> list[Reminder]:
    """Return the reminders of this actor, those due first first.

    Raises:
        OutOfTurnError: no turn runs here.
        PlatformError: the store does not answer.

    """
    found = await running("reminders()").clockwork.reminders()
    return [
        Reminder(
            *(one.name, one.method, datetime.fromtimestamp(one.due_ms / 1000, UTC)),
            *(str(one.plan.rhythm), one.plan.missed),
        )
        for one in found
    ]


def start_timer(
    name: str, period: Duration, method: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> None:
    """Have a method of this actor called regularly, as long as it stays in memory.

    A timer of that name is replaced. Each tick is a turn; the next one is counted from its end. One that
    fails is not tried again. To have it whenever the actor is in memory, start it in `activate`.

    Args:
        name: of the timer; an actor may have 100.
        period: from the end of one tick to the next: seconds, or a timedelta.
        method: of the actor itself: `self.poll`.
        args: for the method.
        kwargs: for the method.

    Raises:
        OutOfTurnError: no turn runs here.
        InvalidArgumentsError: the arguments do not fit the method.
        ConfigurationError: the period is below 10 ms, or the name cannot be.

    """
    scope, period_seconds = running("start_timer()"), seconds(period, "period")
    if period_seconds < TIMER_SECONDS_MIN:
        text = f"period={period!r}: a timer rings every {TIMER_SECONDS_MIN} s at most"
        raise ConfigurationError(text)
    scope.clockwork.start_timer(name, period_seconds, own_call(scope, method, args, kwargs))


def stop_timer(name: str, /) -> None:
    """Stop the timer *name* of this actor; nothing if there is none.

    Raises:
        OutOfTurnError: no turn runs here.

    """
    running("stop_timer()").clockwork.stop_timer(name)


def running(what: str) -> TurnScope:
    """Return the turn that runs here.

    Raises:
        OutOfTurnError: none does.

    """
    scope = current_caller()
    if scope is None:
        text = f"no turn runs here: {what} works in a @method, and what it awaits, handling a message"
        raise OutOfTurnError(text)
    return scope


def own_call(
    scope: TurnScope, method: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> Call:
    """Return the call of *method*, which is one of the actor whose turn *scope* is.

    Raises:
        ConfigurationError: it is not.
        InvalidArgumentsError: the arguments do not fit it.

    """
    found: object = None
    if isinstance(method, MethodType):
        found = inspect.getattr_static(type(method.__self__), method.__func__.__name__, None)
    if not isinstance(found, Method):
        raise ConfigurationError(f"{method!r} is no @method of this actor: pass one as `self.report`")
    descriptor = cast("AnyMethod", found)
    if descriptor.kind is Kind.STREAM:
        raise ConfigurationError(f"{descriptor.name} yields, and nobody would read it: pass another method")
    descriptor.arguments.bind(args, kwargs)
    return Call(scope.address, descriptor.name, args, kwargs, simplify=simplify)


def _missed(value: str) -> Missed:
    try:
        return Missed(value)
    except ValueError:
        raise ConfigurationError(f"missed={value!r} must be one of {', '.join(Missed)}") from None
