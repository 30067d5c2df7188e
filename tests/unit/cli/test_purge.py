"""What is purged is gone, so whoever does not answer has said no."""

from __future__ import annotations

import pytest
import typer

from broker_actors.cli import dead_purge


@pytest.mark.parametrize("answer", [True, False])
def test_the_answer_counts(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> None:
    monkeypatch.setattr(typer, "confirm", lambda _question, **_options: answer)
    assert dead_purge._agreed("Remove 3 dead letters?") is answer


def test_who_interrupts_the_question_has_said_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_question: str, **_options: object) -> bool:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", interrupted)
    assert dead_purge._agreed("Remove 3 dead letters?") is False
    assert capsys.readouterr().err == "\n"
