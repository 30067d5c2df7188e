"""Everything found about a broker over AMQP, and all that follows from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from broker_actors.core import topology
from broker_actors.core.diagnosis.access import Refusal, Swallowed, judge_access, judge_swallowed
from broker_actors.core.diagnosis.reach import Place, judge_latency
from broker_actors.core.diagnosis.releases import judge_release
from broker_actors.core.diagnosis.standing import (
    Leftover,
    Standing,
    judge_leftovers,
    judge_standing,
    judge_workers,
)
from broker_actors.core.finding import Finding, Severity
from broker_actors.core.topology import Binding, Declaration, Layout


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """A broker as AMQP shows it.

    Attributes:
        place: where it is.
        product: how it calls itself.
        version: which release.
        latency_seconds: of a round trip.
        blocked: whether it stopped reading from a connection that published.
        refusals: what its user may not do.
        swallowed: exchanges that confirm what reaches nobody.
        standings: of everything that should exist.
        leftovers: queues of layouts that are not in use.
        broken_off: why the examination did not come to its end; empty if it did.

    """

    place: Place
    product: str
    version: str
    latency_seconds: float
    blocked: bool = False
    refusals: Sequence[Refusal] = ()
    swallowed: Sequence[Swallowed] = ()
    standings: Sequence[Standing] = ()
    leftovers: Sequence[Leftover] = ()
    broken_off: str = ""


def judge_broker(
    facts: BrokerFacts, layouts: Collection[Layout], recorded: Collection[str]
) -> Iterator[Finding]:
    """Yield what the facts about a broker mean.

    Args:
        facts: what was found.
        layouts: of every type that was looked for.
        recorded: the types among them that the store knows, so that somebody has declared them.

    """
    place = facts.place
    text = f"{facts.product} {facts.version} at {place.server}, virtual host {place.vhost!r}"
    yield Finding("broker.reach", Severity.OK, text)
    if facts.broken_off:
        text = f"the broker at {place.server} stopped answering: {facts.broken_off}"
        yield Finding("broker.reach", Severity.ERROR, text, "look into its log and at its load")
    yield from judge_release("broker.release", facts.product, facts.version)
    yield judge_latency("broker", facts.latency_seconds)
    yield from judge_access(place, facts.refusals)
    yield from judge_swallowed(facts.swallowed)
    used = [layout for layout in layouts if layout.type in recorded]
    in_use = {one.name for layout in used for one in _mailboxes(facts, layout)} | _names_of(used)
    yield from judge_standing(facts.standings, in_use)
    yield from judge_leftovers(facts.leftovers)
    for layout in layouts:
        yield from judge_workers(layout, _mailboxes(facts, layout))


def missing_bindings(
    facts: BrokerFacts, wanted: Collection[Declaration], present: Collection[Binding]
) -> list[Binding]:
    """Return bindings among *wanted* that are not *present* although both of their ends exist."""
    there = {one.name for one in facts.standings if one.exists}
    bindings = [one for one in wanted if isinstance(one, Binding)]
    return [one for one in bindings if one not in present and {one.source, one.target} <= there]


def _mailboxes(facts: BrokerFacts, layout: Layout) -> list[Standing]:
    # Dedicated mailboxes are as many as there are actors, and known by a prefix.
    prefix = f"{topology.ACTORS}.{layout.type}.g{layout.generation}."
    return [one for one in facts.standings if one.name.startswith(prefix)]


def _names_of(layouts: Sequence[Layout]) -> set[str]:
    """Return the names of what somebody has declared if these layouts are on record."""
    if not layouts:
        return set()
    declared = [*topology.common(), *(one for layout in layouts for one in topology.of(layout))]
    return {one.name for one in declared if not isinstance(one, Binding)}
