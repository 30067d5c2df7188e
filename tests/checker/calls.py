"""Every call ends by its deadline, and every ask with one right answer or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.checker.history import Form, History, Outcome, Violation

#: Between a deadline and the moment its caller hears of it, on a machine that has other things to do.
SLACK_SECONDS: Final = 5.0
_SLACK: Final = int(SLACK_SECONDS * 1e9)


def endings(history: History) -> Iterator[Violation]:
    """Yield calls that did not end in time, or ended in a way their form does not know."""
    for call in history.calls:
        if call.outcome is Outcome.OPEN:
            yield Violation("hung", f"{call.form} {call.name} to {call.actor} never ended")
        elif call.ended > call.deadline + _SLACK:
            late_seconds = (call.ended - call.deadline) / 1e9
            yield Violation("late", f"{call.form} {call.name} ended {late_seconds:.1f} s after its deadline")
        elif (call.outcome is Outcome.ANSWERED) != bool(call.answers):
            yield Violation("history", f"{call.name} is {call.outcome} with {len(call.answers)} answers")
        elif call.is_bad and call.outcome is Outcome.ANSWERED:
            text = f"{call.form} {call.name} is refused by its actor, and was answered {call.answers[0]}"
            yield Violation("wrong answer", text)
        elif call.outcome is Outcome.REFUSED and (not call.is_bad or call.form is Form.TELL):
            yield Violation(
                "wrong answer", f"{call.form} {call.name} was refused, and nothing is wrong with it"
            )
