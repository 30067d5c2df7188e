"""The demo does what it says, on the embedded broker and on real servers, and notices when it does not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem
from broker_actors.cli.app import app
from broker_actors.cli.demo import actors, playing, story
from broker_actors.cli.demo.playing import Outcome, play
from broker_actors.cli.demo.stage import Stage
from broker_actors.cli.demo.story import STEPS, Seen
from broker_actors.cli.letters import browse
from broker_actors.core.errors import ConfigurationError
from tests.workers.shell import shell

NAMES = [step.name for step in STEPS]


def unlike_expected(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.step.name: outcome.seen.text for outcome in outcomes if not outcome.ok}


async def test_every_step_does_what_it_says_embedded() -> None:
    reported: list[Outcome] = []
    outcomes = await play(ActorSystem.connect("memory://"), STEPS, reported.append)
    assert unlike_expected(outcomes) == {}
    assert reported == outcomes
    assert [outcome.step.name for outcome in outcomes] == NAMES


async def test_every_step_does_what_it_says_on_real_servers_again_and_again(
    amqp_url: str, redis_url: str
) -> None:
    for _ in range(2):
        outcomes = await play(ActorSystem.connect(amqp_url, redis_url), STEPS, lambda _outcome: None)
        assert unlike_expected(outcomes) == {}


async def test_several_demos_on_the_same_servers_do_not_disturb_each_other(
    amqp_url: str, redis_url: str
) -> None:
    plays = (play(ActorSystem.connect(amqp_url, redis_url), STEPS, lambda _outcome: None) for _ in range(3))
    assert [unlike_expected(outcomes) for outcomes in await asyncio.gather(*plays)] == [{}, {}, {}]


async def test_the_demo_takes_its_own_dead_letter_and_leaves_the_others(
    amqp_url: str, redis_url: str
) -> None:
    (poison,) = (step for step in STEPS if step.name == "dead letter")
    async with ActorSystem.connect(amqp_url, redis_url) as system, Stage(system) as stage:
        await stage.system.ref(actors.NotifierRef, "else").send.tell("{gone}", {})
        await poison.run(stage)
        # Queues behind the tell, whose attempts all happen in place.
        await stage.system.ref(actors.NotifierRef, "else").sent()
        left = await browse(system.backend.transport, "DemoNotifier", limit=100)
    assert [letter.message.headers["ba-id"] for letter in left] == ["else"]


async def test_as_a_program_it_exits_with_0_and_prints_every_step(tmp_path: Path) -> None:
    code, out, err = await shell("demo", cwd=tmp_path)
    assert (code, err) == (0, "")
    for step in STEPS:
        assert f"{step.name}: {step.does}" in out
        assert f"expected  {step.expected}" in out
    assert f"{len(STEPS)} of {len(STEPS)} steps did what they say" in out
    assert "\x1b" not in out


async def test_as_a_program_it_tells_a_machine_the_same(tmp_path: Path) -> None:
    code, out, err = await shell("demo", "--json", cwd=tmp_path)
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["ok"] is True
    assert [step["name"] for step in document["steps"]] == NAMES
    assert all(step["ok"] and step["seen"] == step["expected"] for step in document["steps"])


async def test_on_real_servers_it_names_them_without_their_passwords(amqp_url: str, redis_url: str) -> None:
    words = ["demo", "--json", "--amqp", amqp_url, "--redis", redis_url]
    # In a thread, as a command runs a loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["servers"].startswith("RabbitMQ at 127.0.0.1:")
    assert "@" not in result.stdout


async def seen_nothing(_stage: Stage) -> Seen:
    return Seen("something else")


async def raises(_stage: Stage) -> Seen:
    raise ConfigurationError("this cannot be")


async def hangs(_stage: Stage) -> Seen:
    await asyncio.Event().wait()
    return Seen("never")


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKER_ACTORS_URL", raising=False)


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(
    ("run", "seen"),
    [
        (seen_nothing, "something else"),
        (raises, "ConfigurationError: this cannot be"),
        (hangs, "nothing within 0.01 s"),
    ],
)
def test_a_step_that_does_something_else_makes_it_exit_with_1(
    monkeypatch: pytest.MonkeyPatch, run: story.Run, seen: str
) -> None:
    broken = [replace(STEPS[0], run=run), replace(STEPS[0], name="the next")]
    monkeypatch.setattr(story, "STEPS", broken)
    if run is hangs:
        monkeypatch.setattr(playing, "STEP_SECONDS_MAX", 0.01)
    result = CliRunner().invoke(app, ["demo", "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (1, False)
    # What comes after it is shown all the same.
    first, _second = document["steps"]
    assert (first["seen"], first["ok"]) == (seen, False)


@pytest.mark.usefixtures("embedded")
def test_a_failed_step_is_shown_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "STEPS", [replace(STEPS[0], run=seen_nothing), STEPS[0]])
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert "1 of 2 steps did what they say" in result.stdout


async def test_the_story_notices_actors_that_do_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors, "BANK_ANSWERS_AT", 1)
    outcomes = await play(ActorSystem.connect("memory://"), STEPS, lambda _outcome: None)
    attempt_1 = "paid at attempt 1, charged 1250 cents in total"
    assert unlike_expected(outcomes) == {"retry": attempt_1, "replay": attempt_1}
