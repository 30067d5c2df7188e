"""Makes a history of what senders and workers wrote down and what actors hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel

from tests.checker.history import Answer, Call, Claimed, Committed, Form, Held, Outcome, Told
from tests.soak.drawing import Way
from tests.soak.journal import CALLS, WITNESS, read

_FORMS: Final = {
    Way.TELL: Form.TELL,
    Way.KEYED_TELL: Form.TELL,
    Way.DELAYED: Form.TELL,
    Way.ASK: Form.ASK,
    Way.KEYED_ASK: Form.ASK,
    Way.TWIN_ASKS: Form.ASK,
    Way.READ: Form.READ,
}


class State(BaseModel):
    """What an actor says it holds, and what the store holds of it."""

    names: list[str] = []
    total: int = 0


def calls_of(folder: Path) -> list[Call]:
    """Return what the senders called and learnt."""
    calls: dict[str, Call] = {}
    may_fail = set[str]()
    for line in read(folder, CALLS):
        match line:
            case ["began", str(name), int(number), str(actor), str(way), int(began), *facts]:
                amount, keeps_order, is_bad, fails, tells, _plan = cast("Sequence[Any]", facts)
                calls[name] = Call(
                    *(name, name.partition(".")[0], number, actor, _FORMS[Way(way)]),
                    amount=amount,
                    began=began,
                    in_order=keeps_order,
                    is_bad=is_bad,
                    tells=[Told(told, target) for told, target in tells],
                )
                if fails:
                    may_fail.add(name)
            case ["ended", str(name), int(ended), int(deadline), str(outcome), list(answers), bool(first)]:
                call = calls[name]
                call.ended, call.deadline, call.outcome = ended, deadline, Outcome(outcome)
                call.answers = [Answer(*cast("Sequence[int]", answer)) for answer in answers]
                call.in_order = call.in_order and first
                if name in may_fail and call.outcome is Outcome.REFUSED:
                    call.is_bad = True
            case _:
                raise ValueError(f"no line of a sender: {line}")
    return list(calls.values())


def witness_of(folder: Path) -> tuple[list[Claimed], list[Committed]]:
    """Return what the workers were granted and answered."""
    claims, commits = list[Claimed](), list[Committed]()
    for line in read(folder, WITNESS):
        match line:
            case ["claim", str(actor), int(epoch), int(version)]:
                claims.append(Claimed(actor, epoch, version))
            case ["commit", str(actor), int(epoch), int(version), str(nonce), bool(fenced)]:
                commits.append(Committed(actor, epoch, version, nonce, fenced))
            case _:
                raise ValueError(f"no line of a worker: {line}")
    return claims, commits


def held_of(states: Mapping[str, State]) -> dict[str, Held]:
    """Return what the actors hold, without what their notes say of asks."""
    return {
        actor: Held([note.partition("=")[0] for note in state.names], state.total)
        for actor, state in states.items()
    }


def asked_by_turns(states: Mapping[str, State]) -> Iterator[Call]:
    """Yield what turns asked.

    An ask is not undone with its turn, so that of any attempt may have its effect, once; that
    of the attempt that was committed must have it if it was answered.
    """
    noted = [note.partition("=")[2] for state in states.values() for note in state.names if "=" in note]
    answers = {name: rest for name, _, rest in (one.partition(":") for one in noted)}
    held = {name: actor for actor, state in states.items() for name in state.names if "?" in name}
    for number, name in enumerate(sorted({*held, *answers})):
        if "=" in name:
            continue  # the turn that asked
        found = [Answer(*map(int, rest.split(":")))] if (rest := answers.get(name)) else []
        outcome = Outcome.ANSWERED if found else Outcome.UNKNOWN
        yield Call(name, "turns", number, held.get(name, "nobody"), Form.ASK, outcome, answers=found)
