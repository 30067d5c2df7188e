"""Actors are shown whatever the store holds of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors.cli.actor_views import Places, fields, moment, outbox_row, row, state_of
from broker_actors.core import codec
from broker_actors.core.address import Address
from broker_actors.core.errors import Plain
from broker_actors.core.member import Member
from broker_actors.core.outgoing import Destination, Outgoing, pack
from broker_actors.core.sharing import rankings
from broker_actors.core.topology import Layout
from broker_actors.core.wire import WireMessage
from broker_actors.ports.commit import OutboxKey
from broker_actors.ports.listing import Summary
from broker_actors.ports.outbox_numbers import item_index
from broker_actors.ports.store import Snapshot

LAYOUT = Layout("Counter", partitions=1)
MAILBOX = "actors.Counter.g1.0"
NOW_MS = 1_700_000_000_000


def member(name: str, *consuming: str, place: str = "") -> Member:
    return Member(name, frozenset({"Counter"}), frozenset(consuming), place=place)


def snapshot(state: bytes | None) -> Snapshot:
    return Snapshot(Address("Counter", "c1"), NOW_MS - 90_000, 3, state, {})


def test_the_worker_is_the_first_in_rank_of_those_that_consume() -> None:
    names = ["a", "b", "c", "d"]
    first, second, third, last = rankings([MAILBOX], names)[MAILBOX]
    idle = [member(first), member(last, "actors.Counter.g1.1")]
    both = [member(second, MAILBOX, place="web-2:7"), member(third, MAILBOX, place="web-3:7")]
    assert Places(LAYOUT, [*idle, *both]).worker("c1") == "web-2:7"
    assert Places(LAYOUT, [*idle, both[1]]).worker("c1") == "web-3:7"
    assert Places(LAYOUT, idle).worker("c1") == ""


def test_the_worker_is_the_owner_also_where_its_hash_alone_would_not_make_it_that() -> None:
    layout, names = Layout("Counter", partitions=8), ["a", "b"]
    together = rankings(layout.mailboxes(), names)
    others = [one for one in layout.mailboxes() if together[one] != rankings([one], names)[one]]
    members = [member(name, *layout.mailboxes()) for name in names]
    ids = {layout.mailbox_of(f"c{n}"): f"c{n}" for n in range(99)}
    shown = {one: Places(layout, members).worker(ids[one]) for one in others}
    assert others
    assert shown == {one: together[one][0] for one in others}


def test_a_worker_that_leaves_is_shown_after_whoever_stays() -> None:
    names = ["a", "b"]
    first, second = rankings([MAILBOX], names)[MAILBOX]
    leaving = replace(member(first, MAILBOX), leaving=True)
    assert Places(LAYOUT, [leaving, member(second, MAILBOX)]).worker("c1") == second
    assert Places(LAYOUT, [leaving, member(second)]).worker("c1") == first


def test_a_worker_that_does_not_say_where_it_is_is_shown_by_name() -> None:
    assert Places(LAYOUT, [member("a", MAILBOX)]).worker("c1") == "a"


def test_an_actor_with_a_mailbox_of_its_own_is_where_that_is_consumed() -> None:
    places = Places(Layout("Counter", partitions=0), [member("a", "actors.Counter.g1.id.c1")])
    assert (places.mailbox("c1"), places.worker("c1")) == ("actors.Counter.g1.id.c1", "a")
    assert places.worker("c2") == ""


def test_an_actor_is_one_row() -> None:
    summary = Summary(Address("Counter", "c1"), NOW_MS, 3, 12, 2, 4)
    expected = ("c1", "3", "2023-11-14T22:13:20+00:00", "12", "2", "4", MAILBOX, "-")
    assert row(summary, Places(LAYOUT, [])) == expected


def test_a_person_reads_how_long_ago_it_was_claimed() -> None:
    shown = fields(snapshot(None), Places(LAYOUT, []), NOW_MS)
    assert shown["claimed"] == "2023-11-14T22:11:50+00:00 (1m ago)"
    assert (shown["state"], shown["worker"]) == ("none yet", "-")


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (None, None),
        (codec.encode({"v": 1, "s": {"value": 5}}), {"value": 5}),
        (codec.encode({"v": 2, "s": {"value": 5}}), {"v": 2, "s": {"value": 5}}),
        (codec.encode([1, 2]), [1, 2]),
        (b"\xc1", b"\xc1"),
        (b"", b""),
        (codec.encode({"v": 1, "s": {"x": b"x" * (1 << 21)}}, bytes_max=1 << 22), {"x": b"x" * (1 << 21)}),
    ],
)
def test_a_state_is_shown_as_far_as_it_can_be_read(state: bytes | None, shown: Plain) -> None:
    assert state_of(snapshot(state)) == shown


@pytest.mark.parametrize("ms", [-(10**18), 10**18])
def test_a_number_that_is_no_date_is_shown_as_it_is(ms: int) -> None:
    assert moment(ms) == str(ms)


@pytest.mark.parametrize("headers", [{}, {"ba-type": 5, "ba-id": "c1"}])
def test_an_item_for_nobody_is_still_a_row(headers: dict[str, str | int]) -> None:
    item = pack(Outgoing(Destination.DEAD, WireMessage(headers, b"", type="get")))
    shown = outbox_row(OutboxKey(4, item_index(1_700_000_000_000, 1)), item)
    assert (shown[0], shown[-1]) == ("4:1", str(len(item)))
