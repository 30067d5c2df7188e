"""What a method says to be reminded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from broker_actors.actor.context import entered
from broker_actors.actor.method import method
from broker_actors.actor.reminding import at, cron, every, forget, remind, reminders, start_timer, stop_timer
from broker_actors.actor.spec import actor
from broker_actors.core.errors import ConfigurationError, InvalidArgumentsError, OutOfTurnError
from broker_actors.core.reminders import Reminder
from broker_actors.core.rhythm import At, Cron, Every, Missed, Plan
from tests.unit.actor.fakes import RecordingTurn

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NEW_YEAR_MS = 1_893_456_000_000


@actor
class Clerk:
    @method
    def report(self, kind: str, *, copies: int = 1) -> None: ...

    @method
    def lines(self) -> Iterator[str]:
        yield ""

    def helper(self) -> None: ...


def test_plans_say_when_and_what_becomes_of_what_was_missed() -> None:
    assert every(60) == every(timedelta(minutes=1)) == Plan(Every(60_000))
    assert every(60, first=NEW_YEAR, missed="all") == Plan(Every(60_000), Missed.ALL, NEW_YEAR_MS)
    assert at(NEW_YEAR) == Plan(At(NEW_YEAR_MS))
    assert cron("0 9 * * *", "Europe/Berlin", missed="skip") == Plan(
        Cron("0 9 * * *", "Europe/Berlin"), Missed.SKIP
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: every(0.5), "once a second"),
        (lambda: every(-1), "duration"),
        (lambda: every(60, missed="never"), "once, all, skip"),
        (lambda: every(60, first=cast("Any", "soon")), "time zone"),
        (lambda: at(datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001 - that is what is wrong with it
        (lambda: cron("now"), "five fields"),
        (lambda: cron("* * * * *", "Here"), "not known"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: Any, said: str) -> None:  # noqa: ANN401 - any function
    with pytest.raises(ConfigurationError, match=said):
        wrong()


async def test_a_method_of_the_actor_itself_is_called() -> None:
    scope, clerk = RecordingTurn(), Clerk()
    with entered(scope):
        await remind("daily", every(60), clerk.report, "short", copies=2)
        start_timer("often", 0.5, clerk.report, "long")
    ((name, plan, call),) = scope.clockwork.wound
    assert (name, plan) == ("daily", every(60))
    assert (call.address, call.method) == (scope.address, "report")
    assert (call.args, call.kwargs) == (("short",), {"copies": 2})
    ((period_seconds, ticked),) = scope.clockwork.timers.values()
    assert (period_seconds, ticked.method, ticked.args) == (0.5, "report", ("long",))


async def test_what_is_no_method_of_an_actor_is_refused() -> None:
    clerk = Clerk()
    with entered(RecordingTurn()):
        for wrong in (clerk.helper, print, Clerk.report, "report"):
            with pytest.raises(ConfigurationError, match=r"self\.report"):
                await remind("daily", every(60), cast("Any", wrong))
        with pytest.raises(ConfigurationError, match="yields"):
            await remind("daily", every(60), clerk.lines)
        with pytest.raises(InvalidArgumentsError):
            await cast("Any", remind)("daily", every(60), clerk.report)
        with pytest.raises(ConfigurationError, match="period=0"):
            start_timer("often", 0, clerk.report, "long")


async def test_they_are_listed_and_forgotten() -> None:
    scope = RecordingTurn()
    kept = Reminder("daily", every(60), "report", b"", "application/msgpack", NEW_YEAR_MS)
    scope.clockwork.known.append(kept)
    scope.clockwork.timers["often"] = cast("Any", None)
    with entered(scope):
        (found,) = await reminders()
        assert await forget("daily")
        stop_timer("often")
    assert (found.name, found.method, found.due) == ("daily", "report", NEW_YEAR)
    assert (found.rhythm, found.missed) == ("every 60 s", "once")
    assert (scope.clockwork.forgotten, scope.clockwork.timers) == (["daily"], {})


async def test_outside_of_a_turn_nobody_can_be_reminded() -> None:
    clerk = Clerk()
    with pytest.raises(OutOfTurnError, match=r"remind\(\)"):
        await remind("daily", every(60), clerk.report, "short")
    with pytest.raises(OutOfTurnError, match=r"start_timer\(\)"):
        start_timer("often", 1, clerk.report, "short")
    for outside in (forget("daily"), reminders()):
        with pytest.raises(OutOfTurnError):
            await outside
