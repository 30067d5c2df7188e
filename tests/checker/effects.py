"""Every message that counts has exactly one effect, and nothing else has any."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import Call, Form, History, Letter, Outcome, Violation

#: What a caller learnt, if it must have taken effect.
_SURE = frozenset({Outcome.CONFIRMED, Outcome.ANSWERED})


def effects(history: History) -> Iterator[Violation]:
    """Yield what had no effect, or more than one, or one it must not have."""
    where: dict[str, str] = {}
    for actor, held in history.held.items():
        for name in held.names:
            if name in where:
                yield Violation("doubled", f"{name} has an effect on {where[name]} and again on {actor}")
            where[name] = actor
    known = set[str]()
    for call in history.calls:
        if call.name in known:
            yield Violation("history", f"two calls are named {call.name}")
        known.add(call.name)
        yield from _of_call(call, where)
        if call.tells:
            known.update(told.name for told in call.tells)
            yield from _of_told(call, where)
    yield from (
        Violation("phantom", f"{name} has an effect on {where[name]}, and nobody called it")
        for name in where.keys() - known
    )


def _of_call(call: Call, where: dict[str, str]) -> Iterator[Violation]:
    actor = where.get(call.name)
    if actor is None:
        if call.outcome in _SURE and not call.is_bad and call.form is not Form.READ:
            yield Violation(
                "lost", f"{call.form} {call.name} was {call.outcome} and has no effect on {call.actor}"
            )
    elif actor != call.actor:
        yield Violation("astray", f"{call.name} was for {call.actor} and has its effect on {actor}")
    elif call.is_bad or call.outcome is Outcome.REFUSED or call.form is Form.READ:
        yield Violation(
            "undone", f"{call.form} {call.name} ({call.outcome}) must have no effect, and has one"
        )


def _of_told(call: Call, where: dict[str, str]) -> Iterator[Violation]:
    for told in call.tells:
        actor = where.get(told.name)
        if call.name not in where:
            if actor is not None:
                yield Violation("phantom", f"{told.name} left the turn of {call.name}, which has no effect")
        elif actor is None:
            text = f"{call.name} has its effect on {call.actor}, and {told.actor} never got {told.name}"
            yield Violation("lost", text)
        elif actor != told.actor:
            yield Violation("astray", f"{told.name} was for {told.actor} and has its effect on {actor}")


def letters(history: History) -> Iterator[Violation]:
    """Yield dead letters of what did not fail for good, and what failed for good and is nowhere."""
    bad = {call.name: call for call in history.calls if call.is_bad}
    found: dict[str, Letter] = {}
    for letter in history.letters:
        other = found.setdefault(letter.name, letter)
        if letter.name not in bad or letter.reason != "rejected":
            yield Violation("buried", f"{letter.name} is a dead letter: {letter.reason}")
        elif other.id != letter.id:
            yield Violation("doubled", f"{letter.name} has two dead letters")
    for name, call in bad.items():
        if call.form is Form.TELL and call.outcome is Outcome.CONFIRMED and name not in found:
            yield Violation("lost", f"{name} was confirmed and refused, and there is no dead letter of it")
