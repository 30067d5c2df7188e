"""Exchanges, queues and bindings as data."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import delay, topology
from broker_actors.core.address import Address, is_type, partition_of
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.topology import Binding, Declaration, Exchange, Layout, Queue, Route
from tests.unit.core import strategies as some

layouts = st.builds(Layout, some.types, st.integers(1, 99_999_999), st.integers(0, 20))


def everything(*layouts: Layout, ids: Iterable[str] = ()) -> list[Declaration]:
    found = list(topology.common())
    for layout in layouts:
        found.extend(topology.of(layout))
        if layout.dedicated:
            for actor_id in ids:
                found.extend(topology.dedicated(layout, actor_id))
    return found


@given(st.lists(layouts, max_size=4, unique_by=lambda layout: (layout.type, layout.generation)))
def test_names_are_unique_and_short_enough_for_amqp(layouts: list[Layout]) -> None:
    unique = {layout.type: layout for layout in layouts}.values()
    found = everything(*unique, ids=["c1", "c2", "0", "x" * 170])
    for kind in (Exchange, Queue):
        names = [one.name for one in found if isinstance(one, kind)]
        assert len(names) == len(set(names))
        assert all(0 < len(name.encode()) <= 255 for name in names)
    assert all(len(one.key.encode()) <= 255 for one in found if isinstance(one, Binding))


def test_the_longest_dedicated_name_fits() -> None:
    layout = Layout("T" * 64, 99_999_999, 0)
    assert len(layout.mailbox_of("x" * 170)) == 255


@pytest.mark.parametrize("layout", [Layout("Counter", 1, 8), Layout("Singleton", 3, 0)])
def test_what_a_declaration_refers_to_is_declared_before_it(layout: Layout) -> None:
    exchanges, queues = set(), set()
    for one in everything(layout, ids=["c1"]):
        match one:
            case Exchange():
                assert not one.alternate or one.alternate in exchanges
                exchanges.add(one.name)
            case Queue():
                assert one.arguments.get("x-dead-letter-exchange", topology.DEAD) in exchanges
                queues.add(one.name)
            case Binding():
                assert one.source in exchanges
                assert one.target in (exchanges if one.to_exchange else queues)


@pytest.mark.parametrize("layout", [Layout("Counter", 1, 8), Layout("Singleton", 3, 0)])
def test_every_queue_is_durable_replicated_and_limits_deliveries_out_of_reach(layout: Layout) -> None:
    for one in everything(layout, ids=["c1"]):
        if isinstance(one, Queue):
            assert one.arguments["x-queue-type"] == "quorum"
            assert one.arguments["x-delivery-limit"] == 1_000_000


def test_arguments_never_change_for_a_name() -> None:
    # A broker refuses a declaration that differs from what exists: written out, so that a change is seen.
    given_up = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,
        "x-dead-letter-exchange": "actors.dead",
        "x-dead-letter-routing-key": "by-broker",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    kept = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
    level_3 = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,
        "x-message-ttl": 8_000,
        "x-dead-letter-exchange": "actors.delay.02",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    arguments = {
        one.name: dict(one.arguments) for one in everything(Layout("Counter")) if isinstance(one, Queue)
    }
    assert arguments["actors.Counter.g1.7"] == {**given_up, "x-single-active-consumer": True}
    assert arguments["actors.due"] == arguments["actors.unroutable"] == given_up
    assert arguments["actors.dead"] == arguments["actors.dead.Counter"] == kept
    assert arguments["actors.delay.03"] == level_3
    assert arguments["actors.delay.00"]["x-dead-letter-exchange"] == "actors.due"
    assert len(arguments) == 8 + 1 + 3 + delay.LEVELS


def test_exchanges_are_what_foreign_publishers_rely_on() -> None:
    exchanges = {
        one.name: (one.kind, one.alternate) for one in topology.common() if isinstance(one, Exchange)
    }
    assert exchanges["actors"] == ("direct", ""), "with an alternate exchange nothing would ever be returned"
    assert exchanges["actors.in"] == ("direct", "actors.unroutable")
    assert exchanges["actors.unroutable"] == ("fanout", "")
    assert exchanges["actors.dead"] == ("direct", "")
    assert exchanges["actors.due"] == ("topic", "")


def test_only_mailboxes_have_a_single_active_consumer() -> None:
    single = {
        one.name
        for one in everything(Layout("Counter", 1, 2), Layout("One", 1, 0), ids=["c1"])
        if isinstance(one, Queue) and one.arguments.get("x-single-active-consumer")
    }
    assert single == {"actors.Counter.g1.0", "actors.Counter.g1.1", "actors.One.g1.id.c1"}


@given(st.builds(Layout, some.types, st.integers(1, 9), st.integers(0, 9)), some.ids)
def test_every_route_is_bound_to_the_mailbox_of_its_id(layout: Layout, actor_id: str) -> None:
    route = layout.route_to(Address(layout.type, actor_id))
    bindings = [one for one in everything(layout, ids=[actor_id]) if isinstance(one, Binding)]
    for exchange in ("actors", "actors.in"):
        bound = [one.target for one in bindings if (one.source, one.key) == (exchange, route.key)]
        assert bound == [layout.mailbox_of(actor_id)]
    assert route.exchange == "actors"


@given(some.ids, st.integers(1, 1024))
def test_a_shared_mailbox_is_that_of_the_partition(actor_id: str, partitions: int) -> None:
    layout = Layout("Counter", 2, partitions)
    number = partition_of(actor_id, partitions)
    assert layout.key_of(actor_id) == f"Counter.g2.{number}"
    assert layout.mailbox_of(actor_id) == layout.mailboxes()[number] == f"actors.Counter.g2.{number}"


def test_a_dedicated_type_has_a_mailbox_per_id_and_no_shared_ones() -> None:
    layout = Layout("Counter", 1, 0)
    assert layout.dedicated
    assert layout.mailboxes() == []
    assert layout.mailbox_of("c 1") == "actors.Counter.g1.id.c 1"


@pytest.mark.parametrize(
    ("generation", "partitions"), [(0, 8), (-1, 8), (100_000_000, 8), (1, -1), (1, 1025)]
)
def test_a_layout_out_of_bounds_is_refused(generation: int, partitions: int) -> None:
    with pytest.raises(ConfigurationError):
        Layout("Counter", generation, partitions)


def test_a_layout_is_of_a_type() -> None:
    with pytest.raises(ConfigurationError, match="identifier"):
        Layout("no type")


def test_letters_go_to_their_types_queue_and_those_of_no_type_beside_the_brokers_own() -> None:
    assert topology.dead_route("Counter") == Route("actors.dead", "Counter")
    assert topology.dead_queue("Counter") == "actors.dead.Counter"
    for name in ("", "no type", "x" * 300):
        assert topology.dead_route(name) == Route("actors.dead", topology.BROKER_KEY)


def test_no_type_can_take_the_key_of_what_the_broker_gives_up() -> None:
    assert not is_type(topology.BROKER_KEY)


@given(st.integers(1, delay.DELAY_SECONDS_MAX))
def test_a_delayed_message_waits_exactly_its_delay_and_ends_in_due(delay_seconds: int) -> None:
    found = list(topology.common())
    queues = {one.name: one for one in found if isinstance(one, Queue)}
    route = topology.delay_route(delay_seconds)
    exchange, waited_ms = route.exchange, 0
    while exchange != topology.DUE:
        targets = [
            one
            for one in found
            if isinstance(one, Binding) and one.source == exchange and _matches(one.key, route.key)
        ]
        assert len(targets) == 1
        if targets[0].to_exchange:
            exchange = targets[0].target
            continue
        arguments = queues[targets[0].target].arguments
        waited_ms += int(arguments["x-message-ttl"])
        assert "x-dead-letter-routing-key" not in arguments, "the key says where it waits next"
        exchange = str(arguments["x-dead-letter-exchange"])
    assert waited_ms == 1_000 * delay_seconds


def _matches(pattern: str, key: str) -> bool:
    """Whether *key* matches *pattern*, whose last word is `#`."""
    *words, end = pattern.split(".")
    assert end == "#"
    parts = key.split(".")
    return len(parts) >= len(words) and all(
        word in {"*", part} for word, part in zip(words, parts, strict=False)
    )
