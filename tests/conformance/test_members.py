"""Every adapter of the workers' port: who lives, and who is served from what."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors.core.member import Held, Member, Report
from tests.conformance.members import NOTHING, Deployment, worker


async def test_workers_see_each_other_sorted_by_name(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    assert list(await one.beat(worker("b"), NOTHING)) == [worker("b")]
    assert list(await other.beat(worker("a"), NOTHING)) == [worker("a"), worker("b")]
    assert list(await one.beat(worker("b"), NOTHING)) == [worker("a"), worker("b")]


async def test_what_a_worker_says_of_itself_arrives_as_it_was_said(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    mailboxes = frozenset({"actors.Counter.g1.0", "actors.Wächter.g1.id.🦊"})
    said = Member("a", frozenset({"Counter", "Other"}), mailboxes, leaving=True, place="web-1:7", health="u")
    await one.beat(said, NOTHING)
    assert list(await other.beat(worker("b"), NOTHING)) == [said, worker("b")]


async def test_what_changes_is_seen_by_the_next_beat_of_the_others(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    for said in (worker("a"), worker("a", "q1"), worker("a", "q1", "q2"), worker("a", leaving=True)):
        await one.beat(said, NOTHING)
        assert list(await other.beat(worker("b"), NOTHING)) == [said, worker("b")]


async def test_nothing_new_is_still_everybody(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    await one.beat(worker("a"), NOTHING)
    for _ in range(3):
        assert list(await other.beat(worker("b"), NOTHING)) == [worker("a"), worker("b")]


async def test_who_leaves_is_gone_at_once(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    await one.beat(worker("a"), NOTHING)
    await other.beat(worker("b"), NOTHING)
    await one.leave("a")
    await one.leave("a")
    assert list(await other.beat(worker("b"), NOTHING)) == [worker("b")]
    assert [member for member, _ in await other.everyone()] == [worker("b")]


async def test_a_beat_under_way_does_not_bring_back_who_leaves(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    await one.beat(worker("a"), NOTHING)
    # Also one that arrives when the leave has been answered, as after a reconnect.
    await asyncio.gather(
        one.beat(worker("a", "q1"), NOTHING), one.leave("a"), one.beat(worker("a", "q2"), NOTHING)
    )
    assert list(await other.beat(worker("b"), NOTHING)) == [worker("b")]
    assert list(await other.beat(worker("a"), NOTHING)) == [worker("b")]


async def test_a_name_nobody_has_may_leave(deployment: Deployment) -> None:
    one = await deployment.connect()
    await one.leave("nobody")
    assert list(await one.beat(worker("a"), NOTHING)) == [worker("a")]


async def test_a_lease_that_is_not_renewed_ends(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    await one.beat(worker("a"), NOTHING)
    await other.beat(worker("b"), NOTHING)
    await deployment.expire("a")
    assert [member for member, _ in await other.everyone()] == [worker("b")]
    assert list(await other.beat(worker("b"), NOTHING)) == [worker("b")]


async def test_a_worker_taken_for_dead_comes_back_with_its_next_beat(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    said = worker("a", "q1")
    await one.beat(said, Report(1))
    await deployment.expire("a")
    await other.beat(worker("b"), NOTHING)
    assert list(await one.beat(said, Report(2))) == [said, worker("b")]
    assert list(await other.beat(worker("b"), NOTHING)) == [said, worker("b")]
    assert list(await other.everyone()) == [(said, Report(2)), (worker("b"), NOTHING)]


async def test_everyone_is_told_with_the_latest_report(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    await other.beat(worker("b"), Report(2, 1))
    await one.beat(worker("a"), Report(7, 3))
    latest = Report(8, 2, {"actors.Counter.g1.0": Held(5, 1_700_000_000_000)})
    await one.beat(worker("a"), latest)
    assert list(await other.everyone()) == [(worker("a"), latest), (worker("b"), Report(2, 1))]


async def test_whoever_only_looks_is_nobody(deployment: Deployment) -> None:
    one, other = await deployment.connect(), await deployment.connect()
    assert list(await other.everyone()) == []
    await one.beat(worker("a"), NOTHING)
    assert [member for member, _ in await other.everyone()] == [worker("a")]


async def test_many_workers_beating_at_once_all_see_all(deployment: Deployment) -> None:
    connections = [await deployment.connect() for _ in range(5)]
    names = [f"w{n:02}" for n in range(20)]

    async def round_of_beats() -> list[list[Member]]:
        beats = (connections[n % 5].beat(worker(name), NOTHING) for n, name in enumerate(names))
        return [list(seen) for seen in await asyncio.gather(*beats)]

    await round_of_beats()
    assert await round_of_beats() == [[worker(name) for name in names]] * 20


@pytest.mark.parametrize(
    ("before", "asks", "orderly"),
    [
        ([], "a", True),
        (["hold a"], "a", True),
        (["hold a"], "b", False),
        (["hold a", "release a"], "b", True),
        (["hold a", "release a"], "a", True),
        (["hold a", "release b"], "b", False),
        (["hold a", "hold b"], "b", True),
        (["hold a", "hold b"], "a", False),
        (["hold a", "hold b", "release a"], "a", False),
        (["hold a", "hold b", "release b"], "a", True),
        (["release a"], "b", True),
    ],
)
async def test_a_mailbox_is_taken_in_order_only_from_who_gave_it_back(
    deployment: Deployment, before: list[str], asks: str, *, orderly: bool
) -> None:
    workers = {"a": await deployment.connect(), "b": await deployment.connect()}
    for step in before:
        what, _, name = step.partition(" ")
        if what == "hold":
            await workers[name].hold("q1", name)
        else:
            await workers[name].release("q1", name)
    assert await workers[asks].hold("q1", asks) is orderly


async def test_mailboxes_are_held_one_by_one(deployment: Deployment) -> None:
    one = await deployment.connect()
    await one.hold("q1", "a")
    await one.hold("q2", "a")
    await one.release("q1", "a")
    assert (await one.hold("q1", "b"), await one.hold("q2", "b")) == (True, False)


async def test_whoever_leaves_or_dies_keeps_what_it_has_not_given_back(deployment: Deployment) -> None:
    """Its messages were in its hands: who is served next must know."""
    one, other = await deployment.connect(), await deployment.connect()
    for name, mailbox in (("a", "q1"), ("b", "q2")):
        await one.beat(worker(name, mailbox), NOTHING)
        await one.hold(mailbox, name)
    await one.leave("a")
    await deployment.expire("b")
    await other.beat(worker("c"), NOTHING)
    assert (await other.hold("q1", "c"), await other.hold("q2", "c")) == (False, False)
