"""An examination of a deployment: what broker, store and management API say, judged together.

Invariant: what cannot be examined is a finding, never an error that hides the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from yarl import URL

from broker_actors.adapters.rabbitmq.admission import place_of
from broker_actors.adapters.rabbitmq.connection import parse_url
from broker_actors.adapters.rabbitmq.doctor import examining, management
from broker_actors.adapters.rabbitmq.doctor.management import ManagementError, Overview
from broker_actors.adapters.rabbitmq.options import RabbitOptions
from broker_actors.adapters.redis import doctor as store_doctor
from broker_actors.adapters.redis.doctor import Examined, NoStore
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.bootstrap.standstill import standing_still
from broker_actors.core.diagnosis.bounds import judge_bounds
from broker_actors.core.diagnosis.broker import BrokerFacts, judge_broker, missing_bindings
from broker_actors.core.diagnosis.declared import judge_layouts, judge_settings
from broker_actors.core.diagnosis.nodes import judge_alarms, judge_consumer_timeout
from broker_actors.core.diagnosis.policies import judge_policies
from broker_actors.core.diagnosis.reach import NoBroker, judge_clock, judge_latency, judge_no_broker
from broker_actors.core.diagnosis.releases import judge_release
from broker_actors.core.diagnosis.standing import expected, is_leftover, judge_bindings
from broker_actors.core.diagnosis.standstill import SUSPENDED, judge_standstill
from broker_actors.core.diagnosis.store import judge_no_store, judge_store
from broker_actors.core.errors import PlatformError
from broker_actors.core.finding import Finding, Severity, in_order
from broker_actors.core.topology import Binding, Declaration, Exchange, Layout, Queue
from broker_actors.observability.logs import LoggingObserver
from broker_actors.settings import Settings

#: The management API's clock is told in whole seconds.
_HTTP_CLOCK_SECONDS: Final = 0.5


async def diagnose(
    settings: Settings, declared: Sequence[Layout] = (), management_url: str = ""
) -> list[Finding]:
    """Examine the servers of *settings* and return what was found, the gravest first.

    Args:
        settings: where broker and store are, and how they are used.
        declared: layouts of the actor types that somebody means to run.
        management_url: RabbitMQ's management API; without it, what only that tells stays unseen.

    Raises:
        ConfigurationError: one of the URLs cannot work.

    """
    url = parse_url(settings.url, RabbitOptions().heartbeat_seconds)
    redis = RedisSettings(settings.redis_url, settings.store_timeout_seconds)
    store = await store_doctor.examine(redis, LoggingObserver())
    told = await _told(url, management_url)
    recorded = {one.type: one for one in store.layouts} if isinstance(store, Examined) else {}
    # What is on record counts; a declared type that is not has no mailboxes yet.
    layouts = [*recorded.values(), *(one for one in declared if one.type not in recorded)]
    exists = expected(layouts, store.spawned if isinstance(store, Examined) else {})
    standing = [one for one in exists if not isinstance(one, Binding)]
    wanted = examining.Wanted(standing, layouts, _leftover(told, layouts, standing))
    broker = await examining.examine(url, wanted, settings.connect_timeout_seconds)
    still = await _standing_still(settings, recorded) if isinstance(store, Examined) else []
    return in_order(
        [
            *_of_broker(broker, layouts, recorded),
            *_of_management(told, exists, broker),
            *_of_timeouts(told, layouts, settings.ask_timeout_seconds, broker),
            *_of_store(store, declared),
            *still,
            *judge_settings(settings.prefetch),
        ]
    )


async def _standing_still(settings: Settings, types: Collection[str]) -> list[Finding]:
    """Return what there is to know about actors whose messages wait in the store."""
    found: list[Finding] = []
    try:
        store = await RedisStore.connect(
            settings.redis_url, LoggingObserver(), timeout_seconds=settings.store_timeout_seconds
        )
        try:
            for actor_type in types:
                found += judge_standstill(await standing_still(store, actor_type))
        finally:
            await store.close()
    except PlatformError as error:
        text = f"whether actors are suspended or held up could not be seen: {error}"
        return [
            Finding(SUSPENDED, Severity.NOTE, text, "mend what else is wrong with the store, then look again")
        ]
    if types and not found:
        found.append(
            Finding(SUSPENDED, Severity.OK, "no actor is suspended or held up, and none has messages parked")
        )
    return found


async def _told(url: URL, management_url: str) -> Overview | ManagementError | None:
    if not management_url:
        return None
    try:
        return await management.overview(management_url, place_of(url).vhost, url)
    except ManagementError as error:
        return error


def _leftover(
    told: Overview | ManagementError | None, layouts: Sequence[Layout], exists: Sequence[Exchange | Queue]
) -> list[str]:
    if not isinstance(told, Overview):
        return []
    known = {one.name for one in exists}
    return [name for name in told.queues if is_leftover(name, layouts, known)]


def _of_broker(
    broker: BrokerFacts | NoBroker, layouts: Sequence[Layout], recorded: Collection[str]
) -> Iterator[Finding]:
    if isinstance(broker, NoBroker):
        yield judge_no_broker(broker)
    else:
        yield from judge_broker(broker, layouts, recorded)


def _of_management(
    told: Overview | ManagementError | None, exists: Sequence[Declaration], broker: BrokerFacts | NoBroker
) -> Iterator[Finding]:
    blocked = isinstance(broker, BrokerFacts) and broker.blocked
    if not isinstance(told, Overview):
        yield from judge_alarms([], blocked=blocked)
        yield _untold(told)
        return
    yield from judge_alarms(told.nodes, blocked=blocked)
    queues = [one for one in exists if isinstance(one, Queue)]
    yield from judge_policies(queues, told.policies)
    yield from judge_bounds(queues, told.policies)
    yield from judge_clock("broker", told.ahead_seconds, _HTTP_CLOCK_SECONDS)
    for unseen in told.unseen:
        fix = "give the user the tag monitoring: rabbitmqctl set_user_tags <user> monitoring"
        yield Finding("broker.management", Severity.NOTE, unseen, fix)
    if isinstance(broker, BrokerFacts):
        yield from judge_bindings(missing_bindings(broker, exists, told.bindings))


def _untold(told: ManagementError | None) -> Finding:
    if told is None:
        text = "policies, alarms, bindings and the broker's clock were not looked at"
        fix = "pass --management http://user:password@host:15672"
        return Finding("broker.management", Severity.NOTE, text, fix)
    text = f"the management API does not tell about policies and alarms: {told}"
    fix = "check --management, that rabbitmq_management is enabled, and the user's tags (monitoring)"
    return Finding("broker.management", Severity.WARNING, text, fix)


def _of_timeouts(
    told: Overview | ManagementError | None,
    layouts: Sequence[Layout],
    ask_timeout_seconds: float,
    broker: BrokerFacts | NoBroker,
) -> Iterator[Finding]:
    if isinstance(broker, NoBroker):
        return
    mailboxes = [Queue(name) for layout in layouts for name in layout.mailboxes()]
    policies = told.policies if isinstance(told, Overview) else None
    yield judge_consumer_timeout(mailboxes, policies, ask_timeout_seconds)


def _of_store(store: Examined | NoStore, declared: Sequence[Layout]) -> Iterator[Finding]:
    if isinstance(store, NoStore):
        yield judge_no_store(refused=store.refused, detail=store.detail)
        return
    facts = store.facts
    yield Finding("store.reach", Severity.OK, f"{facts.product} {facts.version} answers")
    if facts.told:
        yield from judge_release("store.release", facts.product, facts.version)
    yield judge_latency("store", store.latency_seconds)
    yield from judge_clock("store", store.ahead_seconds, store.latency_seconds)
    yield from judge_store(facts)
    yield from judge_layouts(declared, {one.type: one for one in store.layouts})
    if not store.searched:
        text = "not all recorded actor types were found: the store has too many keys, or does not let us SCAN"
        yield Finding("store.layouts", Severity.NOTE, text, "name the modules of your actors as arguments")
