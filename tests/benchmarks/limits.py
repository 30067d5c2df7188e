"""The least that a worker in Python can do: its adapters, and nothing above them.

Deliveries are read and become envelopes as in the worker, take effect and are acknowledged. Where turns
are committed, each waits for a script of the store before; those of one loop pass go together. There is
no turn: no lane, no actor, no method, no dedup and no fencing, so this is a floor and not an alternative.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from broker_actors.actor.spec import spec_of
from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.adapters.redis.connection import Link, pack
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.ports.transport import Delivery
from tests.benchmarks.actors import ACTORS
from tests.benchmarks.job import Job, argument
from tests.benchmarks.measuring import Effects, Measured, Signals
from tests.benchmarks.ours import Quiet

#: One write of what a turn cannot do without: its state, and the number that it has accepted.
_SCRIPT: Final = "return redis.call('HSET', KEYS[1], 'state', ARGV[1], 'accepted', ARGV[2])"
#: A guard against hanging, not a measurement.
_HANG_SECONDS: Final = 60.0


class Script:
    """Runs the script for each delivery, those of one loop pass in one write; then acknowledges them."""

    def __init__(self, link: Link, sha: bytes, effects: Effects) -> None:
        self._link = link
        self._sha = sha
        self._effects = effects
        self._waiting: list[tuple[Envelope, Delivery]] = []
        self._due = asyncio.Event()

    def take(self, envelope: Envelope, delivery: Delivery) -> None:
        """Let *delivery* wait for the next write."""
        self._waiting.append((envelope, delivery))
        self._due.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            batch, self._waiting = self._waiting, []
            commands = [self._command(envelope) for envelope, _ in batch]
            answers = await self._link.exchange(commands, _HANG_SECONDS)
            if errors := [answer for answer in answers if isinstance(answer, Exception)]:
                raise errors[0]
            for _, delivery in batch:
                delivery.ack()
                self._effects.done()

    def ended(self, running: asyncio.Task[None]) -> None:
        """Take note that *running* ended, which only an error or the end of the measurement can do."""
        if not running.cancelled():
            self._effects.fail(f"the script failed: {running.exception()!r}")

    def _command(self, envelope: Envelope) -> bytes:
        key = f"limit:{envelope.address.id}"
        return pack("EVALSHA", self._sha, 1, key, envelope.body, envelope.seq)


async def drain(job: Job, signals: Signals) -> None:
    """Take in what waits until all of it has taken effect."""
    effects, observer = Effects(job), Quiet()
    async with AsyncExitStack() as stack:
        script = None
        if spec_of(ACTORS[job.actor_type]).durable:
            link = Link(RedisSettings(job.redis_url), observer, "limits")
            await link.open()
            stack.push_async_callback(link.close)
            (sha,) = await link.exchange([pack("SCRIPT", "LOAD", _SCRIPT)], _HANG_SECONDS)
            assert isinstance(sha, bytes)
            script = Script(link, sha, effects)
            running = asyncio.create_task(script.run())
            running.add_done_callback(script.ended)
            stack.callback(running.cancel)
        transport = await RabbitTransport.connect(job.amqp_url, observer, RabbitOptions())
        stack.push_async_callback(transport.close)

        def receive(delivery: Delivery) -> None:
            envelope = from_wire(delivery.message)
            effects.add(argument(envelope.body))
            if script is not None:
                script.take(envelope, delivery)
                return
            delivery.ack()
            effects.done()

        signals.ready()
        await signals.go()
        with Measured(job.profile) as measured:
            for mailbox in job.mailboxes:
                await transport.consume(mailbox, receive, prefetch=job.prefetch)
            await effects.all()
    signals.result(measured.facts(job.messages))
