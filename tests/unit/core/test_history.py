"""The history of an envelope's failed attempts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.errors import ErrorRecord
from broker_actors.core.history import ATTEMPTS_KEPT_MAX, HISTORY_CHARACTERS_MAX, appended, read, summary
from broker_actors.core.wire import HEADER_BYTES_MAX
from tests.unit.core import strategies as some

BOOM = ErrorRecord("SystemFaultError", "ValueError", "boom")


def test_attempts_are_listed_oldest_first() -> None:
    history = appended(appended("", 1, BOOM, 10), 2, BOOM, 20)
    assert json.loads(history) == [
        {"attempt": 1, "at_ms": 10, "error": "ValueError: boom"},
        {"attempt": 2, "at_ms": 20, "error": "ValueError: boom"},
    ]
    assert read(history) == json.loads(history)


def test_only_the_latest_are_kept() -> None:
    history = ""
    for attempt in range(1, 51):
        history = appended(history, attempt, BOOM, 0)
    attempts = [entry["attempt"] for entry in json.loads(history)]
    assert attempts == list(range(51 - ATTEMPTS_KEPT_MAX, 51))


@given(st.lists(some.errors, min_size=1, max_size=6), st.sampled_from(["", "\U0001f600", "é", "x"]))
def test_a_history_fits_a_header_whatever_the_errors_say(errors: list[ErrorRecord], filling: str) -> None:
    history = ""
    long = [replace(error, message=error.message + filling * 300) for error in errors]
    for attempt, error in enumerate(long, start=1):
        history = appended(history, attempt, error, 2**62)
        assert history.isascii()
        assert len(history) <= HISTORY_CHARACTERS_MAX < HEADER_BYTES_MAX
    entries = read(history)
    assert entries[-1] == {"attempt": len(errors), "at_ms": 2**62, "error": summary(long[-1])}


@pytest.mark.parametrize(
    "history",
    [
        "not json",
        "{}",
        "5",
        "null",
        "[1, null, [], {}]",
        '[{"attempt": 1}]',
        '[{"attempt": "1", "at_ms": 1, "error": "x"}]',
        '[{"attempt": 1, "at_ms": 1, "error": "x", "more": 1}]',
        '[{"attempt": 1, "at_ms": 1, "error": "' + "x" * 201 + '"}]',
        '[{"attempt": 1, "at_ms": ' + "9" * 4_000 + ', "error": "x"}]',
        "9" * 10_000,
        "[" * 8_000 + "]" * 8_000,
        "[" * 900 + "]" * 900,
        "\ud800",
    ],
    ids=range(14),
)
def test_what_is_no_history_has_no_entries_and_is_appended_to(history: str) -> None:
    assert read(history) == []
    assert [entry["attempt"] for entry in json.loads(appended(history, 3, BOOM, 0))] == [3]


@given(some.wild_texts | st.text('[]{}":,0123attempterrorat_ms '))
def test_any_text_can_be_appended_to(history: str) -> None:
    assert read(appended(history, 1, BOOM, 0))[-1] == {"attempt": 1, "at_ms": 0, "error": "ValueError: boom"}


@given(some.errors)
def test_a_summary_is_one_short_line(error: ErrorRecord) -> None:
    line = summary(error)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 200


def test_a_summary_keeps_the_words_of_many_lines() -> None:
    assert (
        summary(ErrorRecord("", "ValidationError", "2 errors\n  a\n\tb")) == "ValidationError: 2 errors a b"
    )
