"""Proof that messages pass: a probe through the broker and back, from time to time.

A connection may look open and carry nothing, and a consumer may be registered and never
be served. What comes back was published, confirmed, routed, queued and delivered; nothing
less is called alive. Invariant: one probe is under way at a time.
"""

from __future__ import annotations

import asyncio
from typing import Final

from broker_actors.core import topology
from broker_actors.core.errors import PlatformError, UnroutableError
from broker_actors.core.events import Trouble
from broker_actors.core.topology import Declaration
from broker_actors.core.wire import WireMessage
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.transport import Delivery, Transport
from broker_actors.runtime.arrival import Subscription

#: From one probe to the next, and how long one may take.
PROBE_SECONDS: Final = 5.0
PROBE_SECONDS_MAX: Final = 10.0


class Watchdog:
    """The probes of one worker. A tenant of its own mailbox."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        clock: Clock,
        observer: Observer,
        *,
        patience_seconds: float = PROBE_SECONDS_MAX,
    ) -> None:
        self.mailbox = topology.probe_queue(name)
        self._declarations: tuple[Declaration, ...] = tuple(topology.probe(name))
        self._route = topology.probe_route(name)
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._patience_seconds = patience_seconds
        self._awaited = ""
        self._returned = asyncio.Event()
        #: Why the last probe did not come back; empty if it did.
        self.trouble = ""

    async def declare(self) -> None:
        """Make the mailbox of the probes; raises what the transport raises."""
        await self._transport.declare(self._declarations)

    async def probe(self) -> None:
        """Send one probe and wait for it. Never raises for a broker that is away."""
        self._awaited = self._clock.token()
        self._returned.clear()
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._send(WireMessage(type="probe", headers={"ba-probe": self._awaited}))
                await self._returned.wait()
        except TimeoutError:
            self._failed(f"a probe did not come back from the broker within {self._patience_seconds:g} s")
        except PlatformError as error:
            self._failed(f"a probe could not be sent: {error}")
        else:
            self.trouble = ""

    def receive(self, subscription: Subscription, delivery: Delivery) -> None:  # noqa: ARG002 - a tenant's shape
        """Take a probe in."""
        delivery.ack()
        if delivery.message.headers.get("ba-probe") == self._awaited:
            self._returned.set()

    async def finish(self, subscription: Subscription) -> None:
        """Do nothing: a probe runs no turn."""

    def lost(self, subscription: Subscription) -> None:
        """Do nothing: the next probe tells."""

    async def _send(self, message: WireMessage) -> None:
        try:
            await self._transport.publish(self._route, message)
        except UnroutableError:
            # Nobody consumed it for so long that the broker removed it.
            await self.declare()
            await self._transport.publish(self._route, message)

    def _failed(self, why: str) -> None:
        if not self.trouble:
            self._observer.observe(Trouble("watchdog", why))
        self.trouble = why
