"""What one sender sends one actor runs in the order in which it was sent, where that is promised."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.history import History, Outcome, Violation

_SURE = frozenset({Outcome.CONFIRMED, Outcome.ANSWERED})


def order(history: History) -> Iterator[Violation]:
    """Yield what overtook something."""
    places: dict[str, tuple[str, tuple[int, int]]] = {}
    for call in history.calls:
        if call.in_order and call.outcome in _SURE:
            places[call.name] = (call.sender, (call.number, 0))
    places.update(_told(history))
    for actor, held in history.held.items():
        last: dict[str, tuple[tuple[int, int], str]] = {}
        for name in held.names:
            if (sent := places.get(name)) is None:
                continue
            sender, number = sent
            before = last.get(sender)
            if before is not None and number < before[0]:
                yield Violation(
                    "reordered", f"{before[1]} overtook {name} on its way from {sender} to {actor}"
                )
            else:
                last[sender] = (number, name)


def _told(history: History) -> Iterator[tuple[str, tuple[str, tuple[int, int]]]]:
    """Yield by the name of each tell of a turn whose it is, and which."""
    chains = {call.name: call for call in history.calls if call.tells}
    for actor, held in history.held.items():
        for place, name in enumerate(held.names if chains else ()):
            call = chains.get(name)
            for number, told in enumerate(call.tells if call is not None else ()):
                if told.in_order:
                    yield told.name, (f"the turns of {actor}", (place, number))
