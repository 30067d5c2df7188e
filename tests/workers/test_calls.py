"""`ask`, `tell` and `dead` to actors on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Worker
from broker_actors.cli.app import app
from tests.workers.shell import HANG_SECONDS
from workers.assistant import Assistant
from workers.orders import Inventory, Notifier, Order, Payment

Shell: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

#: Commands that have commands.
GROUPS = frozenset({"actors", "dead", "flows", "schedules"})


@pytest.fixture
async def shell(amqp_url: str, redis_url: str) -> Shell:
    """Runs a command line and returns its exit code, stdout and stderr."""

    async def run(*words: str) -> tuple[int, str, str]:
        command = [*words[:1], "--amqp", amqp_url, "--redis", redis_url, *words[1:]]
        if words[0] in GROUPS:
            command = [*words[:2], *command[1:5], *words[2:]]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
async def served(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    """A worker for the orders."""
    system = ActorSystem.connect(amqp_url, redis_url)
    async with system, Worker(system, Inventory, Notifier, Order, Payment):
        yield system


@pytest.mark.usefixtures("served")
async def test_an_answer_is_printed_as_text_or_json(shell: Shell) -> None:
    assert await shell("ask", "DemoInventory", "tea", "receive", "10") == (0, "10\n", "")
    place = ("ask", "DemoOrder", "o-1", "place", "article=tea", "quantity=3")
    assert await shell(*place) == (0, "7\n", "")
    assert await shell("ask", "DemoOrder", "o-1", "progress") == (0, "placed\n", "")
    told = '["we have your order of 3 tea"]\n'
    assert await shell("ask", "DemoNotifier", "o-1", "sent") == (0, told, "")
    assert await shell("ask", "DemoInventory", "tea", "receive", "--", "-5") == (0, "2\n", "")


@pytest.mark.usefixtures("served")
async def test_an_error_the_actor_answers_with_is_one_line_and_1(shell: Shell) -> None:
    line = "error: out_of_stock: 3 wanted, 0 in stock {'wanted': 3, 'in_stock': 0}\n"
    assert await shell("ask", "DemoInventory", "tea", "reserve", "3") == (1, "", line)
    code, out, err = await shell("ask", "DemoInventory", "tea", "receive", "many")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "quantity" in err


@pytest.mark.usefixtures("served")
async def test_a_machine_reads_answers_and_errors_alike(shell: Shell) -> None:
    code, out, _err = await shell("ask", "DemoInventory", "tea", "count", "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "result": 0})
    code, out, _err = await shell("ask", "DemoInventory", "tea", "reserve", "3", "--json")
    error = json.loads(out)["error"]
    assert (code, error["kind"], error["code"]) == (1, "BusinessError", "out_of_stock")
    assert error["details"] == {"wanted": 3, "in_stock": 0}


@pytest.mark.usefixtures("served")
async def test_an_argument_that_cannot_be_sent_is_2(shell: Shell) -> None:
    for command in ("ask", "tell"):
        # JSON, and yet no text: half a surrogate pair.
        code, out, err = await shell(command, "DemoInventory", "tea", "receive", '"\\ud800"')
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "an argument cannot be sent" in err


@pytest.mark.usefixtures("served")
async def test_a_key_runs_once(shell: Shell) -> None:
    for _ in range(2):
        assert await shell("ask", "DemoInventory", "tea", "receive", "5", "--key", "d1") == (0, "5\n", "")
    code, _out, err = await shell("ask", "DemoInventory", "tea", "receive", "6", "--key", "d1")
    assert code == 1
    assert "idempotency_conflict" in err


@pytest.mark.usefixtures("served")
async def test_a_tell_prints_nothing_and_has_its_effect(shell: Shell) -> None:
    assert await shell("tell", "DemoNotifier", "n-1", "send", "early", "{}", "--key", "k") == (0, "", "")
    assert await shell("tell", "DemoNotifier", "n-1", "send", "early", "{}", "--key", "k") == (0, "", "")
    code, out, err = await shell(
        "tell", "DemoNotifier", "n-1", "send", "late", "{}", "--delay", "1", "--json"
    )
    told = json.loads(out)
    assert (code, told["ok"], err) == (0, True, "")
    assert told["id"].startswith("DemoNotifier/n-1/")
    assert await shell("ask", "DemoNotifier", "n-1", "sent") == (0, '["early"]\n', "")
    # Nothing to wait on from outside: the effect is asked for until it is there.
    async with asyncio.timeout(HANG_SECONDS):
        while await shell("ask", "DemoNotifier", "n-1", "sent") != (0, '["early", "late"]\n', ""):
            pass


async def test_an_ask_nobody_answers_is_2(served: ActorSystem, shell: Shell) -> None:
    await served.dispatch.layout("DemoOrder")
    code, out, err = await shell("ask", "DemoOrder", "o-1", "progress", "--timeout", "0.000001")
    assert (code, out) == (2, "")
    assert err.startswith("error: DemoOrder/o-1.progress did not answer within ")


@pytest.mark.parametrize(
    "words", [["worker", "workers.orders"], ["ask", "DemoOrder", "o-1", "progress"], ["demo"]]
)
async def test_without_the_store_it_is_one_line_and_2(
    words: list[str], amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_STORE_TIMEOUT_SECONDS", "0.2")
    servers = ["--amqp", amqp_url, "--redis", "redis://:secret@127.0.0.1:1/0"]
    result = await asyncio.to_thread(CliRunner().invoke, app, [*words, *servers])
    # A worker also logs that the broker was there.
    *log, error = result.stderr.splitlines()
    assert (result.exit_code, len(log)) == (2, words[0] == "worker")
    assert error.startswith("error: ")
    assert "127.0.0.1:1" in error
    assert "secret" not in result.stderr


async def test_a_database_the_store_has_not_is_told_at_once(amqp_url: str, redis_url: str) -> None:
    servers = ["--amqp", amqp_url, "--redis", f"{redis_url.rpartition('/')[0]}/1000000"]
    words = ["ask", "DemoOrder", "o-1", "progress", *servers]
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "has no such database" in result.stderr


async def test_only_a_flow_can_be_cancelled(shell: Shell) -> None:
    said = await shell("flows", "cancel", "DemoInventory", "tea")
    assert said == (2, "", "error: no flow DemoInventory/tea: nobody has started it\n")


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "Ghost", "g1", "boo"),
        ("tell", "Ghost", "g1", "boo"),
        ("stream", "Ghost", "g1", "boo"),
        ("mailboxes", "Ghost"),
        ("dead", "list", "Ghost"),
        ("actors", "list", "Ghost"),
        ("actors", "suspended", "Ghost"),
        ("actors", "suspend", "Ghost", "g1"),
        ("flows", "list", "Ghost"),
        ("schedules", "list", "Ghost"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
async def test_a_type_nobody_declared_is_2(words: tuple[str, ...], shell: Shell) -> None:
    code, out, err = await shell(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "Ghost" in err
    assert "nobody has declared" in err


async def poison(shell: Shell) -> dict[str, Any]:
    """Make a dead letter of Notifier/n-1 and return it as listed."""
    assert await shell("tell", "DemoNotifier", "n-1", "send", "{gone}", "{}") == (0, "", "")
    # The ask queues behind the tell, whose attempts all happen in place.
    assert await shell("ask", "DemoNotifier", "n-1", "sent") == (0, "[]\n", "")
    code, out, err = await shell("dead", "list", "DemoNotifier", "--json")
    assert (code, err) == (0, "")
    (letter,) = json.loads(out)
    return dict(letter)


@pytest.mark.usefixtures("served")
async def test_a_tell_that_fails_is_listed_among_the_dead_letters_and_stays_there(shell: Shell) -> None:
    letter = await poison(shell)
    assert (letter["actor"], letter["method"]) == ("DemoNotifier/n-1", "send")
    assert (letter["reason"], letter["error"]) == ("failed", "KeyError: 'gone'")
    assert letter["call"] == {"args": ["{gone}", {}], "kwargs": {}}
    assert [attempt["attempt"] for attempt in letter["history"]] == [1, 2, 3, 4]
    code, out, err = await shell("dead", "list", "DemoNotifier", "--limit", "1")
    header, row = out.splitlines()
    assert (code, err) == (0, "the first 1; there may be more: --limit\n")
    assert header.split() == ["id", "age", "reason", "actor", "method", "error"]
    assert row.split()[0] == letter["id"]
    assert row.endswith("failed  DemoNotifier/n-1  send    KeyError: 'gone'")


@pytest.mark.usefixtures("served")
async def test_a_dead_letter_is_shown_by_how_its_id_begins(shell: Shell) -> None:
    letter = await poison(shell)
    code, out, _err = await shell("dead", "show", "DemoNotifier", letter["id"][:8])
    assert code == 0
    for text in (letter["id"], "DemoNotifier/n-1", '["{gone}", {}]', "attempt 4", "Traceback (most recent"):
        assert text in out
    code, out, _err = await shell("dead", "show", "DemoNotifier", letter["id"], "--json")
    assert json.loads(out)["traceback"].rstrip().endswith("KeyError: 'gone'")
    code, _out, err = await shell("dead", "show", "DemoNotifier", "no such id")
    assert code == 2
    assert "dead list DemoNotifier" in err


@pytest.mark.usefixtures("served")
async def test_a_type_without_dead_letters_says_so(shell: Shell) -> None:
    assert await shell("dead", "list", "DemoOrder") == (0, "", "no dead letters of DemoOrder\n")


async def test_what_a_generator_yields_is_a_line_each(
    amqp_url: str, redis_url: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSISTANT_TOKENS", raising=False)
    async with ActorSystem.connect(amqp_url, redis_url) as system, Worker(system, Assistant):
        assert await shell("stream", "Assistant", "a1", "tokens", "hi you") == (
            0,
            "1: \nyou \nsaid \nhi \nyou\n",
            "",
        )
        code, out, _ = await shell("stream", "Assistant", "a1", "tokens", "hi", "--json")
        assert (code, [json.loads(line)["value"] for line in out.splitlines()][-1]) == (0, "hi")
        code, out, err = await shell("stream", "Assistant", "a1", "tokens", "")
        assert (code, out) == (1, "")
        assert err.startswith("error: bad_prompt")
        code, _, err = await shell("stream", "Assistant", "a1", "reply", "hi")
        assert code == 1
        assert "ask it instead of streaming it" in err
