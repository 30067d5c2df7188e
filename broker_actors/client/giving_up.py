"""Telling workers of asks that nobody waits for any more.

Whoever consumes the actor's mailbox is told, by the channel of its process: it runs the
ask, has it waiting, or gets it soon. Invariant: a call is told of once, in the background,
and no caller waits for it; what cannot be told ends at its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.member import Member
from broker_actors.dispatch import Dispatch
from broker_actors.ports.control import Control
from broker_actors.ports.members import Members
from broker_actors.ports.observer import Observer

#: Calls that wait to be told of; more end at their deadline.
WAITING_MAX: Final = 10_000
#: How long the end of the client waits until all is told.
CLOSE_SECONDS_MAX: Final = 2.0


class GivingUp:
    """The calls of one client that it has given up."""

    def __init__(self, members: Members, control: Control, dispatch: Dispatch, observer: Observer) -> None:
        self._members = members
        self._control = control
        self._dispatch = dispatch
        self._observer = observer
        self._waiting: list[Envelope] = []
        self._telling: asyncio.Task[None] | None = None

    def add(self, envelope: Envelope) -> None:
        """Tell of *envelope* soon."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(envelope)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """Wait until all is told, within a deadline. Idempotent."""
        if (telling := self._telling) is None:
            return
        _, late = await asyncio.wait([telling], timeout=CLOSE_SECONDS_MAX)
        for task in late:
            task.cancel()
            await asyncio.wait([task])

    async def _tell(self) -> None:
        try:
            while self._waiting:
                envelopes, self._waiting = self._waiting, []
                workers = [member for member, _ in await self._members.everyone()]
                await asyncio.gather(*(self._tell_of(envelope, workers) for envelope in envelopes))
        except PlatformError as error:
            self._waiting = []
            self._observer.observe(Trouble("cancel", f"calls that were given up run on: {error}"))
        finally:
            self._telling = None

    async def _tell_of(self, envelope: Envelope, workers: Sequence[Member]) -> None:
        layout = self._dispatch.known(envelope.address.type)
        if layout is None:
            return
        mailbox = layout.mailbox_of(envelope.address.id)
        for worker in workers:
            if worker.channel and mailbox in worker.consuming:
                await self._control.cancel(worker.channel, envelope.call)
