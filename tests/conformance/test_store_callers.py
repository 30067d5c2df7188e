"""Every store: a commit that gives the caller its reply, where the store has the channels, too."""

from __future__ import annotations

from dataclasses import replace

from broker_actors.core.reply import Reply
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import CallerReply, Commit
from broker_actors.ports.store import Store
from tests.conformance.callers import Answering
from tests.conformance.stores import actor, commit_of

CALLER = CallerReply("client", "7", Reply(b"body", "application/json"))


async def test_a_caller_has_its_reply_since_the_commit(answering: Answering) -> None:
    store, inbox = answering.store, await answering.listen("client")
    claim = await store.claim(actor(), "first")
    outcome = await store.commit(replace(commit_of(claim, "turn", b"one"), caller=CALLER))
    assert isinstance(outcome, Committed)
    assert outcome.answered
    await inbox.wait_for(replies=1)
    assert inbox.replies == [("7", Reply(b"body", "application/json"))]


async def test_a_commit_with_nothing_to_write_answers_too(answering: Answering) -> None:
    store, inbox = answering.store, await answering.listen("client")
    claim = await store.claim(actor(), "first")
    outcome = await store.commit(Commit(claim, "turn", caller=CALLER))
    assert isinstance(outcome, Committed)
    assert outcome.answered
    await inbox.wait_for(replies=1)


async def test_nobody_has_a_reply_to_what_was_fenced(answering: Answering) -> None:
    store, inbox = answering.store, await answering.listen("client")
    stale = await store.claim(actor(), "first")
    newest = await store.claim(actor(), "second")
    for claim in (stale, replace(newest, version=newest.version + 1)):
        outcome = await store.commit(replace(commit_of(claim, "fenced", b"one"), caller=CALLER))
        assert isinstance(outcome, Fenced)
    last = CallerReply("client", "last", Reply(b""))
    await store.commit(replace(commit_of(newest, "turn", b"two"), caller=last))
    await inbox.wait_for(replies=1)
    assert [correlation_id for correlation_id, _ in inbox.replies] == ["last"]


async def test_a_commit_that_is_sent_again_does_not_claim_to_have_answered(answering: Answering) -> None:
    store = answering.store
    await answering.listen("client")
    claim = await store.claim(actor(), "first")
    turn = replace(commit_of(claim, "turn", b"one"), caller=CALLER)
    first, second = await store.commit(turn), await store.commit(turn)
    assert isinstance(first, Committed)
    assert isinstance(second, Committed)
    assert (first.answered, second.answered) == (True, False)
    assert (await store.claim(actor(), "second")).version == 1


async def test_a_caller_that_is_gone_keeps_nothing_from_being_committed(answering: Answering) -> None:
    store = answering.store
    claim = await store.claim(actor(), "first")
    outcome = await store.commit(replace(commit_of(claim, "turn", b"one"), caller=CALLER))
    assert isinstance(outcome, Committed)
    assert not outcome.answered
    assert (await store.claim(actor(), "second")).state == b"one"


async def test_every_store_commits_whether_it_has_the_channels_or_not(store: Store) -> None:
    # Those of a cluster are on other nodes.
    claim = await store.claim(actor(), "first")
    for version in range(3):
        turn = commit_of(replace(claim, version=version), f"turn {version}", b"%d" % version)
        outcome = await store.commit(replace(turn, caller=CALLER))
        assert isinstance(outcome, Committed)
        assert not outcome.answered
    assert (await store.claim(actor(), "second")).version == 3
