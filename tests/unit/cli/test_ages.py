from __future__ import annotations

import pytest
import typer

from broker_actors.cli import ages


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "unknown"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3_600, "1h"), (200_000, "2d")],
)
def test_ages_have_one_unit(seconds: float | None, shown: str) -> None:
    assert ages.shown(seconds) == shown


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800)]
)
def test_ages_are_read_in_any_unit(text: str, seconds: float) -> None:
    assert ages.read(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "1w", "-1d", "1.5h", "tomorrow", "9" * 20])
def test_what_is_no_age_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 90s, 15m, 12h or 7d"):
        ages.read(text)
