from __future__ import annotations

import json

import pytest

from broker_actors.cli import output
from broker_actors.cli.output import jsonable, printable, show_json, show_table


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"\x00\xff", {"$bytes": "AP8="}),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        ({1: (b"a", None)}, {"1": [{"$bytes": "YQ=="}, None]}),
        ("[bold]", "[bold]"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_whatever_an_actor_answers_is_json(value: object, plain: object) -> None:
    assert jsonable(value) == plain


def test_json_is_not_wrapped_and_not_marked_up(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "[red]" + "long " * 100}
    show_json(value)
    assert json.loads(capsys.readouterr().out) == value


def test_a_table_in_a_pipe_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("id", "error"), [("1", "x" * 200), ("long id", "[y]")])
    assert capsys.readouterr().out.splitlines() == ["id       error", "1        " + "x" * 200, "long id  [y]"]


def test_a_table_on_a_terminal_is_framed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.OUT, "_force_terminal", True)
    show_table(("id", "error"), [("1", "[y]")])
    shown = capsys.readouterr().out
    assert "┃" in shown
    assert "[y]" in shown


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert printable("\x1b[2J\x07 größe\n") == "\\x1b[2J\\x07 größe\\n"
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
