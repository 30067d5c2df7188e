"""A conversation with a language model: `broker-actors worker workers.assistant`.

What it shows: a slow outside service behind an interface of two lines; a conversation that
outlives every worker; an ask that takes its work with it when its deadline passes. The model is
whatever `ASSISTANT_TOKENS` names as `module:Class`; without it, one that needs no key and no network.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from broker_actors import BusinessError, Ref, Retry, actor, method, turn

#: Also for a prompt that was told, which nobody waits for.
REPLY_SECONDS_MAX: Final = 120.0
#: What the state holds and the model is shown: the latest, in all less than a state's limit of 1 MiB.
MESSAGES_MAX: Final = 20
PROMPT_CHARACTERS_MAX: Final = 4_000
REPLY_CHARACTERS_MAX: Final = 16_000
#: Between the tokens of the stand-in.
PACE_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Message:
    """What one side said."""

    role: Literal["user", "assistant"]
    text: str


class TokenSource(Protocol):
    """A model. One is made per live actor and never closed: keep connections in its module."""

    def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the reply to *conversation*, token by token; closed early when nobody wants the rest."""
        ...


class Echo:
    """Stands in for a model: repeats what it was told, and how often it was told something."""

    async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the words of a reply."""
        prompts = [message.text for message in conversation if message.role == "user"]
        for token in re.findall(r"\S+\s*", f"{len(prompts)}: you said {prompts[-1]}"):
            await asyncio.sleep(PACE_SECONDS)
            yield token


@actor(retry=Retry(attempts=3, min_backoff=0.2, max_backoff=5.0))
class Assistant:
    """One conversation; its id is the person, the ticket, the room."""

    messages: list[Message]
    _source: TokenSource

    def __init__(self) -> None:
        self.messages = []

    def activate(self) -> None:
        """Find the model."""
        self._source = pkgutil.resolve_name(os.environ.get("ASSISTANT_TOKENS", "workers.assistant:Echo"))()

    @method
    async def reply(self, prompt: str) -> str:
        """Return the reply to *prompt*, once it is complete.

        Raises:
            BusinessError: `bad_prompt`.

        """
        _check(prompt)
        async with asyncio.timeout(REPLY_SECONDS_MAX):
            text = "".join([token async for token in self._answer(prompt)])
        self._remember(prompt, text)
        return text

    @method
    async def tokens(self, prompt: str) -> AsyncGenerator[str, None]:
        """Yield the reply to *prompt*, token by token.

        Raises:
            BusinessError: `bad_prompt`.

        """
        _check(prompt)
        text = ""
        async with aclosing(self._answer(prompt)) as tokens:
            async for token in tokens:
                text += token
                yield token
        async with turn():
            self._remember(prompt, text)

    @method
    def conversation(self) -> list[Message]:
        """Return what was said, oldest first."""
        return self.messages

    async def _answer(self, prompt: str) -> AsyncGenerator[str, None]:
        asked = [*self.messages[2 - MESSAGES_MAX :], Message("user", prompt)]
        left = REPLY_CHARACTERS_MAX
        async with aclosing(self._source.stream(asked)) as tokens:
            async for token in tokens:
                yield token[:left]
                left -= len(token)
                if left <= 0:
                    break

    def _remember(self, prompt: str, reply: str) -> None:
        """Keep the exchange, now that it is complete: half of one is none."""
        latest = self.messages[2 - MESSAGES_MAX :]
        self.messages = [*latest, Message("user", prompt), Message("assistant", reply)]


def _check(prompt: str) -> None:
    if not 0 < len(prompt) <= PROMPT_CHARACTERS_MAX:
        raise BusinessError("bad_prompt", f"a prompt has 1 to {PROMPT_CHARACTERS_MAX} characters")


class AssistantRef(Assistant, Ref):
    """A typed handle on a conversation."""
