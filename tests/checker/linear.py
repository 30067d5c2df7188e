"""All turns of an actor follow one another in one order that fits every answer and the clock.

The state itself is that order, so nothing has to be searched for: the answers must be
those of a counter that runs through it, and no turn may stand before one that had
ended when it began.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from tests.checker.history import NEVER, Answer, Call, Form, History, Outcome, Violation


def linear(history: History) -> Iterator[Violation]:
    """Yield answers and states that fit no order."""
    calls = {call.name: call for call in history.calls}
    for call in history.calls:
        for told in call.tells:
            calls[told.name] = Call(told.name, call.actor, 0, told.actor, began=call.began)
    reads: defaultdict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        if call.form is Form.READ and call.answers:
            reads[call.actor].append(call)
    for actor in history.held.keys() | reads.keys():
        held = history.held.get(actor)
        names: Sequence[str] = () if held is None else held.names
        turns = [calls[name] for name in names if name in calls]
        if len(turns) < len(names):
            continue  # a phantom: told elsewhere, and no sum fits
        totals = _totals(turns)
        if held is not None and held.total != totals[-1]:
            text = f"{actor} holds {held.total}, and what it took sums up to {totals[-1]}"
            yield Violation("state", text)
        yield from _answers(actor, turns, reads[actor], totals)
        yield from _clock(actor, turns, reads[actor])


def _totals(turns: list[Call]) -> list[int]:
    totals = [0]
    for call in turns:
        totals.append(totals[-1] + call.amount)
    return totals


def _answers(actor: str, turns: list[Call], reads: list[Call], totals: list[int]) -> Iterator[Violation]:
    for place, call in enumerate(turns, 1):
        if call.answers:
            right = Answer(place, totals[place - 1], totals[place])
            yield from _compare(call, right)
    for call in reads:
        for answer in call.answers:
            if not 0 <= answer.place < len(totals):
                text = f"{call.name} found {answer.place} messages on {actor}, which took {len(totals) - 1}"
                yield Violation("wrong answer", text)
                continue
            total = totals[answer.place]
            yield from _compare(call, Answer(answer.place, total, total))


def _compare(call: Call, right: Answer) -> Iterator[Violation]:
    for answer in call.answers:
        if answer != right:
            found = f"{call.form} {call.name} was answered {tuple(answer)}"
            yield Violation("wrong answer", f"{found}; its place in {call.actor} says {tuple(right)}")


def _clock(actor: str, turns: list[Call], reads: list[Call]) -> Iterator[Violation]:
    """Go through the order from its end: nothing may begin after something behind it has ended."""
    found: defaultdict[int, list[Call]] = defaultdict(list)
    for read in sorted(reads, key=lambda read: read.began):
        found[read.answers[0].place].append(read)
    ended, who = NEVER, ""
    in_order = chain(found[0], *([call, *found.get(place, ())] for place, call in enumerate(turns, 1)))
    for call in reversed(list(in_order)):
        if call.began > ended:
            yield Violation("time", f"{who} had ended before {call.name} began, and {actor} has it behind")
        if call.outcome is Outcome.ANSWERED and call.ended < ended:
            ended, who = call.ended, call.name
