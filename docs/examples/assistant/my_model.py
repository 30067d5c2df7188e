"""A model of one's own: it answers in capitals."""

from collections.abc import AsyncGenerator, Sequence

from workers.assistant import Message


class Loud:
    async def stream(self, conversation: Sequence[Message]) -> AsyncGenerator[str, None]:
        for word in conversation[-1].text.split():  # here: `async for chunk in client.stream(...)`
            yield f"{word.upper()} "
