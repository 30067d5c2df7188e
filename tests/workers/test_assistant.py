"""The assistant: a conversation that is state, and an ask that takes its work with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from broker_actors import ActorSystem, AskTimeoutError, BusinessError, SystemFaultError
from broker_actors.core.events import TurnEnded
from broker_actors.testing import actor_test
from tests.workers.shell import HANG_SECONDS, ROOT, worker
from workers import assistant
from workers.assistant import Assistant, AssistantRef, Message

#: A model of somebody's own. Its first stream stops in the middle.
STUCK = """
import asyncio

class Stuck:
    used = 0

    async def stream(self, conversation):
        Stuck.used += 1
        yield "so "
        if Stuck.used == 1:
            try:
                await asyncio.Event().wait()
            finally:
                print("cancelled", flush=True)
        yield conversation[-1].text
"""


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of the developer's own decides about a test."""
    monkeypatch.delenv("ASSISTANT_TOKENS", raising=False)


class Flaky:
    """Breaks in the middle of its first stream."""

    seen: list[list[str]] = []  # noqa: RUF012 - shared, as the actor makes its own instances

    async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield two tokens."""
        self.seen.append([message.text for message in conversation])
        yield "one "
        if len(self.seen) == 1:
            raise ConnectionError("the model went away")
        yield "two"


class Endless:
    """Never stops by itself; counts its streams that were closed by whoever read them."""

    closed = 0

    async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:  # noqa: ARG002
        """Yield the same token for ever."""
        reader = asyncio.current_task()
        try:
            while True:
                yield "more "
        finally:
            # A stream that was only forgotten is closed by the loop, in a task of its own.
            Endless.closed += asyncio.current_task() is reader


def use(model: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assistant, "Echo", model)


async def test_a_conversation_goes_on_in_another_worker() -> None:
    async with actor_test(Assistant) as kit:
        ada = kit.ref(AssistantRef, "ada")
        assert await ada.reply("good morning") == "1: you said good morning"
        await kit.restart()
        assert await ada.reply("still there?") == "2: you said still there?"
        assert await ada.conversation() == [
            Message("user", "good morning"),
            Message("assistant", "1: you said good morning"),
            Message("user", "still there?"),
            Message("assistant", "2: you said still there?"),
        ]
        assert await kit.ref(AssistantRef, "bob").conversation() == []


async def test_a_reply_can_be_had_token_by_token_and_is_remembered_once_it_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with actor_test(Assistant) as kit:
        ada = kit.ref(AssistantRef, "ada")
        assert [token async for token in ada.tokens("good morning")] == [
            "1: ",
            "you ",
            "said ",
            "good ",
            "morning",
        ]
        async for _ in ada.tokens("never mind"):
            break
        await kit.wait_for(TurnEnded, lambda event: event.outcome == "cancelled")
        assert [message.text for message in await ada.conversation()] == [
            "good morning",
            "1: you said good morning",
        ]
        with pytest.raises(BusinessError, match="1 to 4000"):
            await ada.tokens("")
        monkeypatch.setattr(Endless, "closed", 0)
        use(Endless, monkeypatch)
        bob = kit.ref(AssistantRef, "bob")
        assert len("".join([token async for token in bob.tokens("go on")])) == assistant.REPLY_CHARACTERS_MAX
    assert Endless.closed == 1


async def test_a_prompt_can_be_told_and_its_reply_read_later() -> None:
    async with actor_test(Assistant) as kit:
        await kit.ref(AssistantRef, "ada").reply.tell("take your time")
        assert (await kit.ref(AssistantRef, "ada").conversation())[-1].text == "1: you said take your time"


@pytest.mark.parametrize("prompt", ["", "x" * (assistant.PROMPT_CHARACTERS_MAX + 1)])
async def test_a_prompt_out_of_bounds_is_refused(prompt: str) -> None:
    async with actor_test(Assistant) as kit:
        with pytest.raises(BusinessError) as caught:
            await kit.ref(AssistantRef, "ada").reply(prompt)
        assert caught.value.code == "bad_prompt"


async def test_a_stream_that_breaks_is_asked_for_again_and_half_a_reply_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Flaky, "seen", [])
    use(Flaky, monkeypatch)
    async with actor_test(Assistant) as kit:
        ada = kit.ref(AssistantRef, "ada")
        assert await ada.reply("count") == "one two"
        assert Flaky.seen == [["count"], ["count"]]
        assert await ada.conversation() == [Message("user", "count"), Message("assistant", "one two")]


async def test_a_reply_without_end_is_cut_and_its_stream_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endless, "closed", 0)
    use(Endless, monkeypatch)
    async with actor_test(Assistant) as kit:
        reply = await kit.ref(AssistantRef, "ada").reply("go on")
        assert len(reply) == assistant.REPLY_CHARACTERS_MAX
        assert (await kit.ref(AssistantRef, "ada").conversation())[-1].text == reply
    assert Endless.closed == 1


async def test_the_model_is_shown_the_latest_messages_beginning_with_a_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assistant, "PACE_SECONDS", 0)
    async with actor_test(Assistant) as kit:
        ada = kit.ref(AssistantRef, "ada")
        replies = [await ada.reply(f"prompt {n}") for n in range(15)]
        assert replies[-1] == f"{assistant.MESSAGES_MAX // 2}: you said prompt 14"
        said = await ada.conversation()
        assert (len(said), said[0]) == (assistant.MESSAGES_MAX, Message("user", "prompt 5"))


async def test_the_longest_conversation_fits_into_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    class Verbose:
        async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:  # noqa: ARG002
            yield "\N{GRINNING FACE}" * assistant.REPLY_CHARACTERS_MAX

    use(Verbose, monkeypatch)
    async with actor_test(Assistant) as kit:
        ada = kit.ref(AssistantRef, "ada")
        for _ in range(assistant.MESSAGES_MAX // 2 + 1):
            await ada.reply("\N{GRINNING FACE}" * assistant.PROMPT_CHARACTERS_MAX)


async def test_a_model_that_hangs_does_not_hold_a_told_prompt_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging:
        async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:  # noqa: ARG002
            await asyncio.Event().wait()
            yield ""

    use(Hanging, monkeypatch)
    monkeypatch.setattr(assistant, "REPLY_SECONDS_MAX", 0.01)
    async with actor_test(Assistant) as kit:
        await kit.ref(AssistantRef, "ada").reply.tell("hello?")
        (letter,) = await kit.dead_letters(Assistant)
        assert letter.error.startswith("TimeoutError")


async def test_the_environment_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs/examples/assistant")
    monkeypatch.setenv("ASSISTANT_TOKENS", "my_model:Loud")
    async with actor_test(Assistant) as kit:
        assert await kit.ref(AssistantRef, "ada").reply("hello there") == "HELLO THERE "


async def test_a_model_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_TOKENS", "no_such_model:Client")
    async with actor_test(Assistant) as kit:
        with pytest.raises(SystemFaultError, match="No module named 'no_such_model'"):
            await kit.ref(AssistantRef, "ada").reply("hello")


async def test_an_ask_that_ends_at_its_deadline_takes_its_stream_with_it(
    amqp_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    monkeypatch.setenv("ASSISTANT_TOKENS", "stuck:Stuck")
    servers = ["--amqp", amqp_url, "--redis", redis_url]
    async with (
        worker("workers.assistant", *servers, cwd=tmp_path) as process,
        ActorSystem.connect(amqp_url, redis_url) as system,
    ):
        ada = system.ref(AssistantRef, "ada")
        assert await ada.conversation() == []
        with pytest.raises(AskTimeoutError):
            await ada.with_options(timeout=2).reply("hello?")
        assert process.stdout is not None
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.stdout.readline() == b"cancelled\n"
        assert await ada.reply("again") == "so again"
        assert await ada.conversation() == [Message("user", "again"), Message("assistant", "so again")]
