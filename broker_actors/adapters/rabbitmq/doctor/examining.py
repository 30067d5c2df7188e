"""One examination of a broker over AMQP, from the first connection to the last question."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import aiormq
from yarl import URL

from broker_actors.adapters.rabbitmq.admission import place_of
from broker_actors.adapters.rabbitmq.channels import LostError
from broker_actors.adapters.rabbitmq.doctor.asking import Asker, SilentError
from broker_actors.adapters.rabbitmq.doctor.permissions import permissions, publishing
from broker_actors.adapters.rabbitmq.doctor.reaching import NoBrokerError, connected
from broker_actors.adapters.rabbitmq.doctor.standing import leftovers, standings
from broker_actors.core.diagnosis.access import Refusal, Swallowed
from broker_actors.core.diagnosis.broker import BrokerFacts
from broker_actors.core.diagnosis.reach import NoBroker
from broker_actors.core.topology import Exchange, Layout, Queue

_NAME: Final = "broker_actors doctor"
_ROUND_TRIPS: Final = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for in a broker.

    Attributes:
        declared: what should exist.
        layouts: of the types in use.
        leftover: names of queues that should not exist any more, as far as somebody listed them.

    """

    declared: Collection[Exchange | Queue]
    layouts: Sequence[Layout]
    leftover: Sequence[str] = ()


async def examine(url: URL, wanted: Wanted, timeout_seconds: float) -> BrokerFacts | NoBroker:
    """Return what is found out about the broker at *url*, without changing anything there.

    Args:
        url: where it is.
        wanted: what to look for.
        timeout_seconds: for connecting; every later question has its own deadline.

    """
    try:
        async with connected(url, _NAME, timeout_seconds) as amqp:
            facts = await _examined(amqp, url, wanted)
        async with connected(url, _NAME, timeout_seconds) as amqp:
            return await _published(amqp, facts)
    except NoBrokerError as error:
        return error.facts


async def _examined(amqp: aiormq.Connection, url: URL, wanted: Wanted) -> BrokerFacts:
    said = amqp.server_properties
    facts = BrokerFacts(place_of(url), str(said.get("product", "")), str(said.get("version", "")), 0.0)
    try:
        facts = replace(facts, latency_seconds=await _latency_seconds(amqp))
        refusals = [refusal async for refusal in permissions(amqp, wanted.layouts)]
        facts = replace(facts, refusals=refusals)
        stand, refused = await standings(amqp, wanted.declared)
        facts = replace(facts, standings=stand, refusals=[*refusals, *refused])
        return replace(facts, leftovers=await leftovers(amqp, wanted.layouts, wanted.leftover))
    except SilentError:
        return replace(facts, broken_off="no answer in time")
    except LostError as error:
        return replace(facts, broken_off=str(error))


async def _published(amqp: aiormq.Connection, facts: BrokerFacts) -> BrokerFacts:
    if facts.broken_off:
        return facts
    refusals: list[Refusal] = list(facts.refusals)
    swallowed: list[Swallowed] = []
    try:
        async for found in publishing(amqp):
            if isinstance(found, Refusal):
                refusals.append(found)
            else:
                swallowed.append(found)
    except SilentError:
        if not await _is_blocked(amqp):
            facts = replace(facts, broken_off="a publish was not confirmed in time")
    except LostError as error:
        facts = replace(facts, broken_off=str(error))
    return replace(facts, refusals=refusals, swallowed=swallowed, blocked=await _is_blocked(amqp))


async def _is_blocked(amqp: aiormq.Connection) -> bool:
    try:
        # Not a wait: `ready` returns without suspending unless the connection is blocked.
        async with asyncio.timeout(0):
            await amqp.ready()
    except TimeoutError:
        return not amqp.is_closed
    return False


async def _latency_seconds(amqp: aiormq.Connection) -> float:
    """Return the median of some round trips, the first of which opens the channel and does not count."""
    loop = asyncio.get_running_loop()
    asker = Asker(amqp)
    took: list[float] = []
    try:
        for _ in range(_ROUND_TRIPS + 1):
            begun = loop.time()
            await asker.ask(lambda channel: channel.basic_qos(prefetch_count=1))
            took.append(loop.time() - begun)
    finally:
        await asker.close()
    return sorted(took[1:])[_ROUND_TRIPS // 2]
