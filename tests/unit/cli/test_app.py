"""The command line from the outside, as far as it goes without servers."""

from __future__ import annotations

import builtins
import json
import signal
import sys
from types import ModuleType

import pytest
from typer.testing import CliRunner, Result

from broker_actors.cli import main
from broker_actors.cli.app import app

#: Nothing listens there.
CLOSED = ("--amqp", "amqp://guest:secret@127.0.0.1:1/", "--redis", "redis://127.0.0.1:1/0")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKER_ACTORS_URL", raising=False)
    monkeypatch.delenv("BROKER_ACTORS_REDIS_URL", raising=False)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_the_help_says_what_there_is_and_where_to_begin() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name in ("demo", "worker", "ask", "tell", "mailboxes", "dead", "BROKER_ACTORS_URL"):
        assert name in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        *[("ask",), ("tell",), ("worker",), ("demo",), ("mailboxes",)],
        *[("dead", "list"), ("dead", "show"), ("dead", "redrive"), ("dead", "purge")],
    ],
)
def test_every_command_has_a_help(words: tuple[str, ...]) -> None:
    result = invoke(*words, "--help")
    assert result.exit_code == 0
    assert "--amqp" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("ask", "Counter"),
        ("worker",),
        ("dead", "list", "T", "--limit", "0"),
        ("dead", "list", "T", "--reason", "bad luck"),
        ("dead", "list", "T", "--older-than", "yesterday"),
        ("ask", "Counter", "c1", "get", "--key", ""),
        ("dead", "redrive", "T"),
        ("dead", "redrive", "T", "--all", "--rate", "0"),
        ("dead", "purge", "T", "--all"),
    ],
)
def test_a_wrong_command_line_is_2(words: tuple[str, ...]) -> None:
    assert invoke(*words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "Counter", "c1", "get"),
        ("tell", "Counter", "c1", "get"),
        ("mailboxes",),
        ("dead", "list", "Counter"),
        ("dead", "redrive", "Counter", "--all"),
        ("dead", "purge", "Counter", "--all", "--yes"),
    ],
)
def test_without_a_broker_the_advice_is_to_name_one(words: tuple[str, ...]) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert (
        result.stderr
        == "error: no broker: set BROKER_ACTORS_URL and BROKER_ACTORS_REDIS_URL, or give --amqp and --redis\n"
    )


def test_a_worker_without_a_broker_is_told_so() -> None:
    result = invoke("worker", "workers.orders")
    assert result.exit_code == 2
    assert "no broker" in result.stderr


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("worker", "nowhere"), "no module 'nowhere'"),
        (("worker", "json"), "no actors in json"),
        (("worker", ""), "no module is named"),
        (("worker", "workers.orders.Order"), "a class stands behind a colon (workers.orders:Order)"),
        (("worker", "workers.orders:Ordre"), "Inventory, Notifier, Order, Payment"),
        (("ask", "Counter", "c1", "get", "a=1", "2"), "put it before a="),
        (("ask", "not a type", "c1", "get", *CLOSED), "actor type"),
        (("tell", "Counter", "", "get", *CLOSED), "actor id"),
        (("tell", "Counter", "c1", "inc", "\udcff\udcfe", *CLOSED), "cannot be written as UTF-8"),
        (("dead", "list", "not a type", *CLOSED), "actor type"),
        (("dead", "redrive", "not a type", "--all", *CLOSED), "actor type"),
        (("dead", "purge", "not a type", "--all", "--yes", *CLOSED), "actor type"),
        (("demo", "--amqp", "http://x"), "BROKER_ACTORS_URL=http://...: use memory://, amqp://"),
        (("demo", "--amqp", ""), "the broker's URL names no kind of broker: use memory://, amqp://"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(words: tuple[str, ...], advice: str) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert advice in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_purge_nobody_can_confirm_says_so_to_a_machine_too() -> None:
    result = invoke("dead", "purge", "Counter", "--all", "--json", *CLOSED)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"], document["error"]["kind"]) == (2, False, "ConfigurationError")
    assert "add --yes" in document["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("worker", "workers.orders"),
        ("ask", "C", "c1", "get"),
        ("tell", "C", "c1", "get"),
        ("dead", "list", "C"),
        ("demo",),
    ],
)
def test_without_its_broker_it_is_one_line_and_2(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_CONNECT_TIMEOUT_SECONDS", "0.1")
    result = invoke(*words, *CLOSED)
    assert result.exit_code == 2
    assert [line[:7] for line in result.stderr.splitlines()] == ["error: "]
    assert "127.0.0.1:1" in result.stderr
    assert "secret" not in result.stderr


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_ACTORS_PREFETCH", "many")
    result = invoke("demo")
    assert result.exit_code == 2
    assert "BROKER_ACTORS_PREFETCH" in result.stderr


def test_errors_are_json_too_where_a_machine_reads() -> None:
    result = invoke("ask", "Counter", "c1", "get", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "ConfigurationError"


def test_who_interrupts_the_start_sees_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object, **_kwargs: object) -> ModuleType:
        raise KeyboardInterrupt

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 128 + signal.SIGINT


def test_a_missing_extra_is_answered_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = builtins.__import__

    def without_typer(name: str, *args: object, **kwargs: object) -> ModuleType:
        if name == "typer":
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return original(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "broker_actors.cli.app")
    monkeypatch.setattr(builtins, "__import__", without_typer)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
    assert "pip install 'broker-actors[cli]'" in capsys.readouterr().err
