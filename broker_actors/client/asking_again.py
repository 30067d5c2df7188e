"""What becomes of asks under way when the reply channel is lost: they are asked again.

The lost channel may have swallowed their replies. With the same identity an actor that has
answered answers the same again; one of `at_least_once` may run twice. Invariants: an ask that
is still being sent is asked again only once the broker has it, so that who is refused has not
been sent; one that the broker had taken before does not fail because it cannot be sent
again, for its reply may still come; nothing is sent for an ask that has ended.
"""

from __future__ import annotations

import asyncio

from broker_actors.client.pending import Pending, Waiting
from broker_actors.client.room import Room, publish_at
from broker_actors.core.envelope import to_wire
from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.topology import Route
from broker_actors.ports.observer import Observer


class AskingAgain:
    """Sends the asks of one client again, each in a task that ends with its ask."""

    def __init__(self, pending: Pending, room: Room, observer: Observer) -> None:
        self._pending = pending
        self._room = room
        self._observer = observer
        self._sending: dict[str, asyncio.Task[None]] = {}

    def lost(self) -> None:
        """The channel was lost, and is there anew."""
        for waiting in self._pending.unanswered():
            if waiting.is_sent:
                self._send(waiting)
            else:
                waiting.is_lost = True

    def sent(self, correlation_id: str) -> None:
        """The broker has taken the ask *correlation_id*."""
        waiting = self._pending.of(correlation_id)
        if waiting is None or waiting.reply.done():
            return
        waiting.is_sent = True
        if waiting.is_lost:
            self._send(waiting)

    def end(self, correlation_id: str) -> None:
        """Nobody waits for *correlation_id* any more. Idempotent."""
        if (sending := self._sending.get(correlation_id)) is not None:
            sending.cancel()

    @property
    def sending(self) -> list[asyncio.Task[None]]:
        """What is on its way."""
        return list(self._sending.values())

    async def close(self) -> None:
        """Send nothing more. Idempotent."""
        sending = self.sending
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    def _send(self, waiting: Waiting) -> None:
        envelope = waiting.envelope
        layout = self._room.dispatch.known(envelope.address.type)
        if layout is None:
            return
        correlation_id = envelope.correlation_id
        # One that is on its way with an earlier loss: its reply may have gone to what is lost now.
        self.end(correlation_id)
        task = asyncio.create_task(self._again(waiting, layout.route_to(envelope.address)))
        self._sending[correlation_id] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._sending.get(correlation_id) is done:
                del self._sending[correlation_id]

        task.add_done_callback(ended)

    async def _again(self, waiting: Waiting, route: Route) -> None:
        envelope = waiting.envelope
        left_seconds = (envelope.deadline_ms - self._room.clock.now_ms()) / 1000
        try:
            await publish_at(self._room.place(route, envelope.address, left_seconds), to_wire(envelope))
        except PlatformError as error:
            text = f"asking {envelope.address}.{envelope.method} again: its reply channel was lost"
            self._observer.observe(Trouble(text, str(error)))
