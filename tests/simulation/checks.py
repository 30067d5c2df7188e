"""What must hold at the end of a seed, whatever went wrong in it.

The final lists of the actors tell everything: which turns committed, in which order, and
what they sent. The callers tell what they were promised.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from broker_actors.core import dead, topology
from broker_actors.core.codec import decode
from tests.simulation.faults import Fate
from tests.simulation.workload import ASK_TIMEOUT_SECONDS, KEYED_TRIES, Call, Form, Outcome, Workload
from tests.simulation.world import World

#: After a publish with one of these, those behind it are behind it.
_IN_ORDER: Final = frozenset({Fate.FINE, Fate.SLOW, Fate.TWICE})
#: Without any effect.
_NONE: Final = frozenset({Outcome.NOT_CALLED, Outcome.CALLED_OFF})
#: Of the reminders.
PERIOD_MS: Final = 1_000
#: Virtual time between a deadline and the moment its caller hears of it.
_SLACK_SECONDS: Final = 0.5

#: What follows the name of a call in the names of what it led to.
_ROOT_ENDS: Final = re.compile("[#~>?]")

Notes = Mapping[str, list[str]]


def what_is_left(world: World) -> list[str]:
    """Return what has not come to rest yet."""
    left = [
        f"{queue.name} holds {queue.held}"
        for queue in world.broker.queues
        if queue.held and _counts(queue.name)
    ]
    outboxes = world.store._actors.items()
    left += [
        f"the outbox of {address} holds {len(actor.outbox)}" for address, actor in outboxes if actor.outbox
    ]
    left += [
        f"the parking of {address} holds {len(actor.parking.entries)}"
        for address, actor in outboxes
        if actor.parking.entries
    ]
    left += [f"nobody has said that the store went back for {address}" for address in world.unsaid]
    return [*left, f"{world.pending} late effects"] if world.pending else left


def _counts(queue: str) -> bool:
    return not queue.startswith((topology.DEAD, topology.PROBE))


def problems_of(world: World, workload: Workload) -> list[str]:
    """Return what is wrong."""
    notes = notes_of(world)
    calls = workload.calls
    return [
        *_effects(notes, calls),
        *_children(notes),
        *_answers(notes, calls),
        *_deadlines(calls),
        *_order(world, notes, calls),
        *_order_of_turns(world, notes),
        *_letters(world, calls),
        *_ticks(notes, calls),
    ]


def problems_after_rollback(world: World, workload: Workload) -> list[str]:
    """Return what is wrong although the store has lost some time: with what came after that."""
    notes = notes_of(world)
    calls = [call for call in workload.calls if call.began > world.set_back]
    return [
        *_effects(notes, calls, {call.name for call in calls}),
        *_answers(notes, calls, {call.name for call in calls}),
        *_deadlines(workload.calls),
        *_order(world, notes, calls),
    ]


def disturbances_of(workload: Workload) -> list[str]:
    """Return calls that failed although nothing did that they depend on."""
    return [f"{call.form} {call.name} failed" for call in workload.calls if call.outcome is Outcome.UNKNOWN]


def notes_of(world: World) -> Notes:
    """Return the list of each actor."""
    found: dict[str, list[str]] = {}
    for address, actor in world.store._actors.items():
        state = None if actor.state is None else decode(actor.state)
        match state:
            case {"s": {"notes": list(entries)}}:
                found[address.id] = [str(entry) for entry in entries]
            case _:
                found[address.id] = []
    return found


def _name(entry: str) -> str:
    """Return the name of the message that made *entry*, its own attempt left out."""
    return entry.partition("=")[0].rpartition("#")[0]


def _is_of(roots: set[str] | None, name: str) -> bool:
    """Return whether *name* is of one of the calls *roots*, or of what it led to; of any if that is None."""
    return roots is None or _ROOT_ENDS.split(name, maxsplit=1)[0] in roots


def _effects(notes: Notes, calls: list[Call], roots: set[str] | None = None) -> Iterator[str]:
    counts = {actor: Counter(map(_name, entries)) for actor, entries in notes.items()}
    for actor, counted in counts.items():
        many = [(name, n) for name, n in counted.items() if n > 1 and _is_of(roots, name)]
        yield from (f"{name} had {n} effects on {actor}" for name, n in many)
    for call, n in ((one, counts.get(one.actor, Counter())[e]) for one in calls for e in one.effects):
        is_sure = call.outcome in {Outcome.CONFIRMED, Outcome.ANSWERED} and not call.ends_as
        if is_sure and n != 1:
            yield f"{call.form} {call.name} was {call.outcome} and had {n} effects on {call.actor}"
        is_none = call.outcome in {Outcome.NOT_CALLED, Outcome.CALLED_OFF} or (
            call.outcome is Outcome.FAILED and not call.sections
        )
        if n and (call.ends_as or is_none):
            yield f"{call.form} {call.name} ({call.outcome}) must have no effect, and had {n} on {call.actor}"


def _children(notes: Notes) -> Iterator[str]:
    """Yield what turns sent without having committed, and what they committed and did not send."""
    entries = {entry.partition("=")[0]: entry for some in notes.values() for entry in some}
    names = Counter(_name(entry) for some in notes.values() for entry in some)
    for name in names:
        parent, mark, _ = name.rpartition(">")
        if mark and parent not in entries:
            yield f"{name} left a turn that did not commit"
    # Whether a turn sent everything it should is known from its call's plan: see `expected`.


def missing_children(notes: Notes, calls: list[Call]) -> Iterator[str]:
    """Yield what committed turns should have told others, and is nowhere."""
    where = {_name(entry): actor for actor, entries in notes.items() for entry in entries}
    entries = {_name(e): e.partition("=")[0] for some in notes.values() for e in some}
    for call, entry in ((one, entries.get(effect)) for one in calls for effect in one.effects):
        for number, step in enumerate(call.plan if entry else ()):
            verb, _, target = step.partition(":")
            if verb == "tell" and where.get(f"{entry}>{number}") != target:
                yield f"{entry} committed and {target} never got {entry}>{number}"


def _answers(notes: Notes, calls: list[Call], roots: set[str] | None = None) -> Iterator[str]:
    """Yield answers that do not fit one order of all turns of an actor."""
    places = {actor: {_name(e): i for i, e in enumerate(entries, 1)} for actor, entries in notes.items()}
    yield from missing_children(notes, calls)
    yield from _sections(places, calls)
    answered = [call for call in calls if call.outcome is Outcome.ANSWERED and not call.sections]
    for call in answered:
        place = places.get(call.actor, {}).get(call.name)
        if place != call.value:
            yield f"{call.form} {call.name} was answered {call.value} and is at {place} on {call.actor}"
    for call in answered:
        for later in answered:
            if later.actor == call.actor and later.began > call.ended and later.value <= call.value:
                yield f"{later.name} began after {call.name} ended, and ran before it"
    for actor, entries in notes.items():
        for entry in entries:
            own, mark, answer = entry.partition("=")
            found = [on[name] for on in places.values() for name in on if name == f"{own}?0"]
            if mark and answer != "0" and found != [int(answer)] and _is_of(roots, own):
                yield f"{own} on {actor} was answered {answer}, and its ask is at {found}"


def _sections(places: Mapping[str, Mapping[str, int]], calls: list[Call]) -> Iterator[str]:
    """Yield turns of which a later section happened, and not one before it, or before it in time."""
    for call in calls:
        at = [places.get(call.actor, {}).get(effect, 0) for effect in call.effects]
        done = [place for place in at if place]
        if at[: len(done)] != sorted(done):
            yield f"the sections of {call.name} are at {at} on {call.actor}"


def _deadlines(calls: list[Call]) -> Iterator[str]:
    for call in calls:
        if call.form in {Form.ASK, Form.KEYED_ASK} and call.ended:
            tries = KEYED_TRIES if call.form is Form.KEYED_ASK else 1
            seconds = call.ended_seconds - call.began_seconds
            if seconds > tries * (ASK_TIMEOUT_SECONDS + _SLACK_SECONDS):
                yield f"{call.form} {call.name} took {seconds:.1f} s"


def _order(world: World, notes: Notes, calls: list[Call]) -> Iterator[str]:
    if world.broker.requeues_to_back:
        return
    places = {actor: {_name(e): i for i, e in enumerate(entries)} for actor, entries in notes.items()}
    lines: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        is_behind = any(call.name.encode() in body for body in world.resent)
        if call.in_order and not call.ends_as and not is_behind:
            lines[call.line, call.actor].append(call)
    for (_, actor), line in lines.items():
        for one, other in pairwise(line):
            here = places.get(actor, {})
            if here.get(one.name, 0) > here.get(other.name, 0):
                yield f"{other.name} overtook {one.name} on {actor}"


def _order_of_turns(world: World, notes: Notes) -> Iterator[str]:
    """Yield tells of one actor's turns that reached another actor in another order."""
    if world.broker.requeues_to_back:
        return
    in_order = [s.body for s in world.sent.values() if len(s.fates) == 1 and s.fates[0] in _IN_ORDER]
    turns = {e.partition("=")[0]: (a, i) for a, entries in notes.items() for i, e in enumerate(entries)}
    for actor, entries in notes.items():
        last: dict[str, tuple[tuple[str, int], int, str]] = {}
        for name in map(_name, entries):
            parent, mark, number = name.rpartition(">")
            turn = turns.get(parent)
            if not mark or turn is None or not any(name.encode() in body for body in in_order):
                continue
            before = last.get(turn[0])
            if before is not None and (turn, int(number)) < before[:2]:
                yield f"{before[2]} overtook {name} on {actor}"
            last[turn[0]] = (turn, int(number), name)


def _ticks(notes: Notes, calls: list[Call]) -> Iterator[str]:
    """Yield reminders that missed a tick, or had one that they were not to have."""
    for call in calls:
        names = [_name(entry) for entry in notes.get(call.actor, ())]
        found = [int(name.rpartition("@")[2]) for name in names if name.startswith(f"{call.name}@")]
        count = call.ticks if call.name in names else 0
        if found != [found[0] + PERIOD_MS * n for n in range(count)] if found else count:
            yield f"{call.name} was to tick {count} times on {call.actor}, and did at {found}"


def _letters(world: World, calls: list[Call]) -> Iterator[str]:
    """Yield dead letters of what did not fail for good, and what was rejected and is nowhere."""
    expected = {call.name: call for call in calls if call.ends_as}
    found: dict[str, str] = {}
    for queue in world.broker.queues:
        for entry in queue.entries if queue.name.startswith(topology.DEAD) else ():
            letter = dead.read(entry.message)
            name = _told(letter.message.body)
            if found.setdefault(name, letter.id) != letter.id:
                yield f"{name} has two dead letters"
            if name not in expected or letter.reason != expected[name].ends_as:
                yield f"{name} is a dead letter: {letter.reason}, {letter.error}"
    for name, call in expected.items():
        is_tell = call.form not in {Form.ASK, Form.KEYED_ASK}
        if is_tell and call.outcome is Outcome.CONFIRMED and name not in found:
            yield f"{call.form} {name} ended for good, and there is no letter of it"


def _told(body: bytes) -> str:
    # Of a mutant, anything may be left.
    match decode(body) if body else None:
        case {"args": [str(name), *_]}:
            return name
        case _:
            return repr(body)
