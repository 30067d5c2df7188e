"""Turns of what is parked, and of what blocks those behind it, along every path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker_actors.core import dead, history
from broker_actors.core import turn as t
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError, describe
from broker_actors.core.parking import Parked, Unreadable, stand_in, unreadable
from broker_actors.core.verdict import Terms
from tests.unit.core.test_turn import (
    ASK,
    BOOM,
    ENVELOPES,
    HERE,
    LATER,
    NOW_MS,
    POLICY,
    RECORDED,
    RESULT,
    TELL,
    Walk,
    walked,
    walks,
)

PARKED = Terms(POLICY, durable=True, parked=True)
BLOCKS = Terms(POLICY, durable=True, blocks=True)
OVERFLOWS = Terms(POLICY, durable=True, overflows=True)


@pytest.fixture(scope="module")
def parked() -> list[Walk]:
    names = ("tell", "keyed ask", "ask past its deadline", "foreign tell")
    return [walk for name in names for walk in walks(ENVELOPES[name], PARKED)]


def test_what_is_parked_leaves_its_parking_with_a_commit_or_stays(parked: list[Walk]) -> None:
    for walk in parked:
        if isinstance(walk.end, t.Ack):
            assert walk.commit is not None
            assert walk.commit.head is None
    assert {walk.end.outcome for walk in parked if isinstance(walk.end, t.Ack)} >= {
        "ok",
        "expired",
        "duplicate",
    }


def test_what_is_parked_is_looked_up_by_its_key_only(parked: list[Walk]) -> None:
    for walk in parked:
        expected = bool(walk.envelope.key) and not walk.envelope.expired(NOW_MS)
        assert bool(walk.commands(t.LookUp)) == expected


def test_a_parked_duplicate_is_answered_once_it_has_left() -> None:
    _, steps = walked(
        ENVELOPES["keyed ask"],
        PARKED,
        (t.Received(NOW_MS), t.Duplicate(RECORDED), t.Committed(), t.Sent(), t.Answered()),
    )
    assert [command for _, command in steps] == [
        t.LookUp(),
        t.Commit(keep=False, reply=None, answer=RECORDED),
        t.Dispatch(),
        t.Answer(RECORDED),
        t.Ack("duplicate"),
    ]


def test_what_waited_past_its_deadline_leaves_and_nobody_is_answered() -> None:
    _, steps = walked(
        ENVELOPES["ask past its deadline"], PARKED, (t.Received(NOW_MS), t.Committed(), t.Sent())
    )
    assert [command for _, command in steps] == [
        t.Commit(keep=False, reply=None),
        t.Dispatch(),
        t.Ack("expired"),
    ]


@pytest.mark.parametrize("terms", [BLOCKS, replace(BLOCKS, parked=True)])
def test_what_blocks_stays_at_the_head_as_itself(terms: Terms) -> None:
    envelope = replace(ASK, key="order-42")
    received = (t.Received(NOW_MS), t.Fresh())
    _, steps = walked(envelope, terms, (*received, t.Raised(BOOM, NOW_MS, LATER), t.Committed(), t.Sent()))
    commit = steps[-3][1]
    assert isinstance(commit, t.Commit)
    assert isinstance(commit.head, Parked)
    assert (commit.keep, commit.reply, commit.answer, commit.outgoing) == (False, None, None, ())
    again = commit.head.envelope
    assert again == replace(envelope, attempt=2, history=again.history)
    assert len(history.read(again.history)) == 1
    assert commit.head.due_ms == NOW_MS + 1_800
    assert steps[-1][1] == t.Ack("blocked")


def test_what_blocks_waits_in_place_for_less_than_a_second() -> None:
    _, steps = walked(TELL, BLOCKS, (t.Received(NOW_MS), t.Fresh(), t.Raised(BOOM, NOW_MS, HERE), t.Paused()))
    assert [type(command) for _, command in steps[-2:]] == [t.Pause, t.Run]


def test_what_blocks_blocks_no_longer_than_its_attempts_last() -> None:
    last = replace(TELL, attempt=2)
    terms = replace(BLOCKS, parked=True)
    _, steps = walked(last, terms, (t.Received(NOW_MS), t.Raised(BOOM, NOW_MS, LATER)))
    commit = steps[-1][1]
    assert isinstance(commit, t.Commit)
    assert commit.head is None
    assert dead.read(commit.outgoing[0].message).reason == dead.Reason.FAILED


def test_without_a_store_nothing_blocks() -> None:
    # The runtime never says that it does: there is nowhere to park.
    unsendable = describe(PayloadTooLargeError("too much"))
    terms = Terms(POLICY, durable=False)
    _, steps = walked(TELL, terms, (t.Received(NOW_MS), t.Raised(unsendable, NOW_MS, LATER)))
    commit = steps[-1][1]
    assert isinstance(commit, t.Commit)
    assert commit.head is None


def test_what_finds_no_room_is_kept_answered_and_not_run() -> None:
    found = [walk for envelope in ENVELOPES.values() for walk in walks(envelope, OVERFLOWS)]
    letters = 0
    for walk in found:
        assert not walk.commands(t.Run)
        if walk.error is None or not walk.events(t.Committed) or walk.events(t.Unknowable):
            continue
        assert walk.error.type == "ParkingFullError"
        assert walk.commit is not None
        assert dead.read(walk.commit.outgoing[0].message).reason == dead.Reason.PARKED_FULL
        assert walk.commit.reply is None, "it may be sent again once there is room"
        letters += 1
    assert letters


def test_a_result_of_what_is_parked_is_committed_like_any_other() -> None:
    _, steps = walked(ASK, PARKED, (t.Received(NOW_MS), t.Returned(RESULT)))
    assert steps[-1][1] == t.Commit(keep=True, reply=None, answer=RESULT)


def test_what_nobody_can_read_leaves_its_parking_as_a_dead_letter_and_does_not_run() -> None:
    address, entry = TELL.address, Unreadable(b"\xc1", "broken")
    terms = replace(PARKED, unreadable=unreadable(entry, address))
    _, steps = walked(stand_in(entry, address, "token"), terms, (t.Received(NOW_MS), t.Committed(), t.Sent()))
    commit = steps[0][1]
    assert isinstance(commit, t.Commit)
    assert (commit.keep, commit.head) == (False, None)
    [item] = commit.outgoing
    letter = dead.read(item.message)
    assert (letter.reason, letter.message.body) == (dead.Reason.UNDECODABLE, b"\xc1")
    with pytest.raises(UndecodableError):
        dead.redriven(letter)
    assert steps[-1][1] == t.Ack("dead_lettered")
