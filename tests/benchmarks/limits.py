"""The least that a worker in Python can do: its adapters, and nothing above them.

Deliveries are read and become envelopes as in the worker, take effect and are acknowledged. Where turns
are committed, each waits for a write of the store before, here a script of one command; those of one
loop pass go together. There is no turn: no lane, no actor, no method, and
nobody looks whether an envelope has run, so this is a floor and not an alternative.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

from broker_actors.actor.spec import spec_of
from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.rabbitmq.transport import RabbitTransport
from broker_actors.adapters.redis.connection import Link, pack
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.turns import COMMITTED
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.ports.transport import Delivery
from tests.benchmarks.actors import ACTORS
from tests.benchmarks.job import Job, argument
from tests.benchmarks.measuring import Effects, Measured, Signals
from tests.benchmarks.ours import Quiet

#: Makes what is written for an envelope.
Command: TypeAlias = Callable[[Envelope], bytes]
#: Prepares the store for a job, and returns how what is written is made.
Write: TypeAlias = Callable[[Job, Link], Awaitable[Command]]
#: One write of what a turn cannot do without: its state, and the number that it has accepted.
_SCRIPT: Final = "return redis.call('HSET', KEYS[1], 'state', ARGV[1], 'accepted', ARGV[2])"
#: A guard against hanging, not a measurement.
HANG_SECONDS: Final = 60.0


class Writer:
    """Writes a command for each delivery, those of one loop pass together; then acknowledges them."""

    def __init__(self, link: Link, command: Command, effects: Effects) -> None:
        self._link = link
        self._command = command
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
            for answer in await self._link.exchange(commands, HANG_SECONDS):
                # A commit answers with a list, and one that is fenced with the version it found in it.
                if isinstance(answer, Exception) or (isinstance(answer, list) and answer[0] != COMMITTED):
                    text = f"not written: {answer!r}"
                    raise RuntimeError(text)
            for _, delivery in batch:
                delivery.ack()
                self._effects.done()

    def ended(self, running: asyncio.Task[None]) -> None:
        """Take note that *running* ended, which only an error or the end of the measurement can do."""
        if not running.cancelled():
            self._effects.fail(f"the writer failed: {running.exception()!r}")


async def small(_job: Job, link: Link) -> Command:
    """Return what makes the smallest write of an envelope."""
    (sha,) = await link.exchange([pack("SCRIPT", "LOAD", _SCRIPT)], HANG_SECONDS)
    assert isinstance(sha, bytes)

    def command(envelope: Envelope) -> bytes:
        return pack("EVALSHA", sha, 1, f"limit:{envelope.address.id}", envelope.body, envelope.seq)

    return command


async def drain(job: Job, signals: Signals) -> None:
    """Take in what waits until all of it has taken effect; a write is one command."""
    await drain_with(small, job, signals)


async def drain_with(write: Write, job: Job, signals: Signals) -> None:
    """Take in what waits until all of it has taken effect; where turns are committed, with *write*."""
    effects, observer = Effects(job), Quiet()
    async with AsyncExitStack() as stack:
        writer = None
        if spec_of(ACTORS[job.actor_type]).durable:
            link = Link(RedisSettings(job.redis_url), observer, "limits")
            await link.open()
            stack.push_async_callback(link.close)
            writer = Writer(link, await write(job, link), effects)
            running = asyncio.create_task(writer.run())
            running.add_done_callback(writer.ended)
            stack.callback(running.cancel)
        transport = await RabbitTransport.connect(job.amqp_url, observer, RabbitOptions())
        stack.push_async_callback(transport.close)

        def receive(delivery: Delivery) -> None:
            envelope = from_wire(delivery.message)
            effects.add(argument(envelope.body))
            if writer is not None:
                writer.take(envelope, delivery)
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
