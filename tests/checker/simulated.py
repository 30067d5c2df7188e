"""The history of a simulated deployment, as the checker reads it.

There every message counts one, so that the place of a note in its actor's list is also the
actor's total; an attempt names what its turn sends, so that the notes tell which one was
committed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker_actors.core import dead, topology
from broker_actors.core.codec import decode
from tests.checker.history import NEVER, Answer, Call, Form, Held, History, Letter, Outcome, Told
from tests.simulation import checks, workload
from tests.simulation.faults import Fate
from tests.simulation.workload import Workload
from tests.simulation.world import World

_ASKS = frozenset({workload.Form.ASK, workload.Form.KEYED_ASK})
_IN_ORDER = frozenset({Fate.FINE, Fate.SLOW, Fate.TWICE})


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of an actor's list, taken apart.

    Attributes:
        name: of the message.
        attempt: that name with the attempt that was committed.
        answer: what the turn's own ask was answered; empty if it made none.

    """

    name: str
    attempt: str
    answer: str


def history_of(world: World, workload: Workload) -> History:
    """Return what happened in *world*."""
    notes = {actor: [_read(entry) for entry in entries] for actor, entries in checks.notes_of(world).items()}
    by_name = {note.name: note for some in notes.values() for note in some}
    calls = [_call(world, call, number, by_name) for number, call in enumerate(workload.calls)]
    asked = list(_asked(notes, {told.name for call in calls for told in call.tells}))
    held = {actor: Held([note.name for note in some], len(some)) for actor, some in notes.items()}
    return History([*calls, *asked], held, letters=list(_letters(world)))


def _read(entry: str) -> Note:
    attempt, _, answer = entry.partition("=")
    return Note(attempt.rpartition("#")[0], attempt, answer)


def _call(world: World, made: workload.Call, number: int, notes: Mapping[str, Note]) -> Call:
    outcome = _OUTCOMES[made.outcome]
    is_resent = any(made.name.encode() in body for body in world.resent)
    return Call(
        made.name,
        made.line,
        number,
        made.actor,
        Form.ASK if made.form in _ASKS else Form.TELL,
        outcome,
        began=made.began,
        ended=made.ended or NEVER,
        answers=[Answer(made.value, made.value - 1, made.value)] if outcome is Outcome.ANSWERED else (),
        in_order=made.in_order and not is_resent and not world.broker.requeues_to_back,
        # An ask may also end for good because its retries did not fit in before its deadline.
        is_bad=bool(made.ends_as) or outcome is Outcome.REFUSED,
        tells=_told(world, made.plan, notes.get(made.name)),
    )


_OUTCOMES: Mapping[workload.Outcome, Outcome] = {
    workload.Outcome.NOT_CALLED: Outcome.UNKNOWN,
    workload.Outcome.UNKNOWN: Outcome.UNKNOWN,
    workload.Outcome.CONFIRMED: Outcome.CONFIRMED,
    workload.Outcome.ANSWERED: Outcome.ANSWERED,
    workload.Outcome.FAILED: Outcome.REFUSED,
}


def _told(world: World, plan: list[str], note: Note | None) -> list[Told]:
    """Return what the turn that was committed tells others; nothing if none was."""
    if note is None:
        return []
    steps = [(number, *step.split(":")) for number, step in enumerate(plan) if step.startswith("tell:")]
    return [
        Told(f"{note.attempt}>{number}", str(actor), _is_in_order(world, f"{note.attempt}>{number}"))
        for number, _, actor in steps
    ]


def _is_in_order(world: World, name: str) -> bool:
    """Return whether it was confirmed at first publish."""
    sent = [one for one in world.sent.values() if name.encode() in one.body]
    is_first = len(sent) == 1 and len(sent[0].fates) == 1 and sent[0].fates[0] in _IN_ORDER
    return is_first and not world.broker.requeues_to_back


def _asked(notes: Mapping[str, list[Note]], known: set[str]) -> Iterator[Call]:
    """Yield what turns asked: it is not undone with them, so any attempt's may be there, once."""
    answers = {
        f"{note.attempt}?0": int(note.answer) for some in notes.values() for note in some if note.answer
    }
    for number, (actor, note) in enumerate((actor, note) for actor, some in notes.items() for note in some):
        if "?" in note.name and note.name not in known:
            place = answers.get(note.name, 0)
            outcome = Outcome.ANSWERED if place else Outcome.UNKNOWN
            found = [Answer(place, place - 1, place)] if place else ()
            yield Call(note.name, "turns", number, actor, Form.ASK, outcome, answers=found)


def _letters(world: World) -> Iterator[Letter]:
    for queue in world.broker.queues:
        for entry in queue.entries if queue.name.startswith(topology.DEAD) else ():
            letter = dead.read(entry.message)
            match decode(letter.message.body):
                case {"args": [str(name), *_]}:
                    # A message that kills its workers is as bad as one that is rejected.
                    reason = "rejected" if letter.reason == dead.Reason.CRASHED else letter.reason
                    yield Letter(letter.id, name, reason)
                case _:
                    yield Letter(letter.id, "unreadable", letter.reason)
