"""Which dead letters are meant, and which belong together."""

from __future__ import annotations

import pytest

from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.letters import Group, Selection, grouped
from broker_actors.core.wire import WireMessage

NOW_MS = 1_700_000_000_000


def letter(
    dead_id: str = "0123",
    reason: str = "failed",
    error: str = "ValueError: Boom",
    died_ms: int = NOW_MS - 60_000,
    *,
    addressed: bool = True,
) -> DeadLetter:
    headers: dict[str, object] = {"ba-type": "Counter", "ba-id": "c1"} if addressed else {}
    message = WireMessage(headers, b"", "application/json", "increment")
    return DeadLetter(dead_id, reason, error, "", "", "actors.Counter.g1.0", died_ms, message)


@pytest.mark.parametrize(
    "condition",
    [
        Selection(),
        Selection(ids=frozenset({"0123", "4567"})),
        Selection(reason=Reason.FAILED),
        Selection(error="valueerror: b"),
        Selection(actor="c1"),
        Selection(actor="Counter/c1"),
        Selection(method="increment"),
        Selection(older_than_seconds=60),
        Selection(frozenset({"0123"}), "failed", "boom", "c1", "increment", 59),
    ],
)
def test_a_letter_matches_what_it_says(condition: Selection) -> None:
    assert condition.matches(letter(), NOW_MS)


@pytest.mark.parametrize(
    "condition",
    [
        Selection(ids=frozenset({"012"})),
        Selection(reason=Reason.REJECTED),
        Selection(error="KeyError"),
        Selection(actor="c"),
        Selection(actor="Other/c1"),
        Selection(method="incr"),
        Selection(older_than_seconds=61),
        Selection(frozenset({"0123"}), "failed", "boom", "c1", "decrement", 59),
    ],
)
def test_one_condition_that_is_not_met_is_enough(condition: Selection) -> None:
    assert not condition.matches(letter(), NOW_MS)


def test_what_a_letter_does_not_say_matches_no_condition_about_it() -> None:
    assert not Selection(actor="c1").matches(letter(addressed=False), NOW_MS)
    assert not Selection(older_than_seconds=1).matches(letter(died_ms=0), NOW_MS)


def test_no_condition_is_everything() -> None:
    assert Selection().is_everything
    assert not Selection(error="x").is_everything


def test_letters_that_died_of_the_same_are_a_group_and_the_largest_comes_first() -> None:
    letters = [
        letter("a", died_ms=30),
        letter("b", died_ms=20),
        letter("c", error="KeyError: 'x'", died_ms=0),
        letter("d", died_ms=0),
        letter("e", reason="rejected", died_ms=10),
    ]
    assert grouped(letters) == [
        Group("failed", "ValueError: Boom", 3, 20, 30, "a"),
        Group("failed", "KeyError: 'x'", 1, 0, 0, "c"),
        Group("rejected", "ValueError: Boom", 1, 10, 10, "e"),
    ]
    assert grouped([]) == []


def test_errors_that_differ_in_ids_alone_are_one_group_and_an_error_of_one_text_is_shown_as_it_is() -> None:
    letters = [
        letter("a", error="ValueError: order o-17 of 2026-03-01 is gone"),
        letter("b", error="ValueError: order 3f2b9c1e-aaaa-bbbb-cccc-0123456789ab of 2026-03-02 is gone"),
        letter("c", error="HTTPError: 404 from web-1:8080"),
        letter("d", error="HTTPError: 503 from web-1:8080"),
    ]
    assert [(group.error, group.count, group.example) for group in grouped(letters)] == [
        ("ValueError: order ... of ... is gone", 2, "a"),
        ("HTTPError: 404 from web-1:8080", 1, "c"),
        ("HTTPError: 503 from web-1:8080", 1, "d"),
    ]
