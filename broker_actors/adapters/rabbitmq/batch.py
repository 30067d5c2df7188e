"""Publications that enter the line together and are waited for together.

Invariant: when `settled` ends, however it does, none of them is anybody's concern any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker_actors.adapters.rabbitmq.publication import Publication
from broker_actors.core.errors import PlatformError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage


class Batch:
    """Messages of one call, those that have no form on the wire already refused.

    Attributes:
        publications: those that can be sent, in order.

    """

    def __init__(self, messages: Sequence[tuple[Route, WireMessage]]) -> None:
        loop = asyncio.get_running_loop()
        self._entries: list[Publication | PlatformError] = []
        for route, message in messages:
            try:
                self._entries.append(Publication(route, message, loop.create_future()))
            except PlatformError as error:
                self._entries.append(error)
        self.publications = [one for one in self._entries if isinstance(one, Publication)]

    async def settled(self, timeout_seconds: float) -> Publication | None:
        """Wait for the broker's answers; return the first that has none in time, None if all have."""
        if self.publications:
            await asyncio.wait([one.done for one in self.publications], timeout=timeout_seconds)
        return next((one for one in self.publications if not one.done.done()), None)

    def give_up(self, error: PlatformError) -> None:
        """Let *error* be the answer to all that have none."""
        for one in self.publications:
            one.fail(error)

    def answers(self) -> Sequence[PlatformError | None]:
        """Return what became of each message, in order.

        Raises:
            Exception: something failed that is no fault of the broker or the message.

        """
        return [one if isinstance(one, PlatformError) else _answer(one) for one in self._entries]


def _answer(publication: Publication) -> PlatformError | None:
    error = publication.done.exception()
    if error is None or isinstance(error, PlatformError):
        return error
    raise error
