"""Dead letters are shown whatever is in them: anybody can publish into a queue."""

from __future__ import annotations

import json

import pytest

from broker_actors.cli.letter_views import document, fields, row
from broker_actors.core.dead import DeadLetter
from broker_actors.core.wire import WireMessage

NOW_MS = 1_700_000_000_000


def letter(
    died_ms: int = NOW_MS - 90_000, history: str = "", message: WireMessage | None = None
) -> DeadLetter:
    message = message or WireMessage({"ba-type": "Counter", "ba-id": "c1"}, b"", "application/json", "get")
    return DeadLetter(
        "0123", "failed", "ValueError: boom", "", history, "actors.Counter.g1.0", died_ms, message
    )


def test_a_letter_is_onerow() -> None:
    assert row(letter(), NOW_MS) == ("0123", "1m", "failed", "Counter/c1", "get", "ValueError: boom")


@pytest.mark.parametrize(
    ("seconds", "age"), [(-5, "0s"), (59, "59s"), (60, "1m"), (3_600, "1h"), (86_399, "23h"), (200_000, "2d")]
)
def test_ages_have_one_unit(seconds: int, age: str) -> None:
    assert row(letter(died_ms=NOW_MS - seconds * 1000), NOW_MS)[1] == age


def test_a_letter_of_the_broker_has_no_age() -> None:
    given_up = letter(died_ms=0)
    assert fields(given_up, NOW_MS)["died"] == "unknown"
    assert document(given_up, NOW_MS)["age_seconds"] is None


def test_a_date_beyond_all_dates_is_shown_as_it_is() -> None:
    assert fields(letter(died_ms=2**62), NOW_MS)["died"] == str(2**62)


def test_attempts_are_shown_with_their_own_numbers_and_times() -> None:
    entries = [{"attempt": n, "at_ms": 1_000 + 250 * n, "error": f"e{n}"} for n in (7, 8)]
    shown = fields(letter(history=json.dumps(entries)), NOW_MS)
    assert (shown["attempt 7"], shown["attempt 8"]) == ("e7 (after 0.00 s)", "e8 (after 0.25 s)")


def test_what_nobody_can_read_is_shown_as_bytes() -> None:
    strange = letter(message=WireMessage({}, b"\xff", "application/json"), history="not json")
    assert fields(strange, NOW_MS)["call"] == '{"$bytes": "/w=="}'
    assert (document(strange, NOW_MS)["actor"], document(strange, NOW_MS)["history"]) == ("", [])
