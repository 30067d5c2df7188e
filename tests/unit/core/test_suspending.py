"""What becomes of messages whose actor is suspended, or is by what they do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import dead, history
from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.core.errors import (
    BusinessError,
    ErrorRecord,
    NewerStateError,
    StateUndecodableError,
    SystemFaultError,
    describe,
)
from broker_actors.core.outgoing import Destination
from broker_actors.core.reply import Reply, of_result, read
from broker_actors.core.retry import Retry
from broker_actors.core.supervision import Restart, Restarts, counts
from broker_actors.core.suspending import COMES_BACK_SECONDS, READ_AGAIN_SECONDS, due_ms, supervise
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.verdict import Failure, Settled, Terms, WaitHere, judge
from tests.unit.core import strategies as some

NOW_MS = 1_700_000_000_000
NEVER_MS = 2**53 - 1
TELL = Envelope(Address("Counter", "c1"), "increment", sender="s", seq=1)
ASK = replace(TELL, reply_to="channel", correlation_id="1")
ONE = Restarts(max_restarts=1, window_seconds=60.0, min_backoff_seconds=8.0, max_backoff_seconds=8.0)
TERMS = Terms(Retry(attempts=3, min_backoff=0.1, max_backoff=0.1), durable=True, parks=True, restarts=ONE)
BOOM = describe(ValueError("boom"))
UNREADABLE = describe(StateUndecodableError("Counter/c1: value does not fit"))
BROKEN = Suspension(Cause.FAULTS, "failed twice", NOW_MS - 5)


def failed(envelope: Envelope, error: ErrorRecord = BOOM, attempt: int = 1) -> Failure:
    return Failure(envelope, attempt, "", error, NOW_MS)


def settled(failure: Failure, terms: Terms = TERMS, faults_ms: tuple[int, ...] = (NOW_MS - 1,)) -> Settled:
    verdict, _ = supervise(failure, terms, faults_ms, 0.5)
    assert isinstance(verdict, Settled)
    return verdict


def error_in(reply: Reply | None) -> ErrorRecord:
    assert reply is not None
    error = read(reply)
    assert isinstance(error, ErrorRecord)
    return error


class TestFaults:
    def test_a_fault_that_is_survived_makes_the_actor_rest_and_the_message_with_it(self) -> None:
        verdict, rest = supervise(failed(TELL), TERMS, (), 0.5)
        assert isinstance(verdict, Settled)
        assert verdict.outcome == "retried"
        [retry] = verdict.outgoing
        assert retry.due_ms == NOW_MS + 4_000
        assert rest == Restart(4.0, (NOW_MS,))

    def test_a_short_rest_is_waited_for_in_place(self) -> None:
        short = replace(TERMS, restarts=replace(ONE, min_backoff_seconds=1.0, max_backoff_seconds=1.0))
        verdict, _ = supervise(failed(TELL), short, (), 0.5)
        assert isinstance(verdict, WaitHere)
        assert verdict.seconds == 0.5

    def test_one_fault_too_many_suspends_and_its_tell_stays_at_the_head_with_its_next_attempt(self) -> None:
        verdict = settled(failed(TELL))
        assert verdict.outcome == "suspended"
        assert verdict.head is not None
        assert (verdict.head.envelope.attempt, verdict.head.due_ms) == (2, 0)
        assert len(history.read(verdict.head.envelope.history)) == 1
        assert verdict.outgoing == ()
        said = "failed 2 times within 60 s, the last time with ValueError: boom"
        assert verdict.suspension == Suspension(Cause.FAULTS, said, NOW_MS)

    def test_its_ask_is_told_its_own_error_at_once(self) -> None:
        verdict = settled(failed(ASK))
        assert (verdict.outcome, verdict.head, verdict.outgoing) == ("fault", None, ())
        assert error_in(verdict.reply).type == "ValueError"
        assert verdict.suspension is not None

    def test_a_tell_whose_attempts_are_used_up_is_a_dead_letter_as_ever(self) -> None:
        verdict = settled(failed(TELL, attempt=3))
        assert verdict.outcome == "dead_lettered"
        assert verdict.head is None
        assert dead.read(verdict.outgoing[0].message).reason == "failed"
        assert verdict.suspension is not None

    def test_after_a_suspension_the_count_begins_anew(self) -> None:
        _, rest = supervise(failed(TELL), TERMS, (NOW_MS - 1,), 0.5)
        assert rest == Restart(0.0, ())

    @pytest.mark.parametrize("error", [BusinessError("no"), NewerStateError("of version 2")], ids=repr)
    def test_what_is_not_its_own_fault_is_judged_as_ever(self, error: Exception) -> None:
        failure = failed(TELL, describe(error))
        verdict, rest = supervise(failure, TERMS, (NOW_MS - 1,), 0.5)
        assert verdict == judge(failure, TERMS, 0.5)
        assert rest == Restart(0.0, (NOW_MS - 1,))


class TestStatesNobodyCanRead:
    def test_the_tell_that_found_out_stays_at_the_head_as_it_was(self) -> None:
        verdict = settled(failed(TELL, UNREADABLE))
        assert verdict.outcome == "suspended"
        assert verdict.head is not None
        assert verdict.head.envelope == TELL
        assert verdict.suspension is not None
        assert verdict.suspension.cause == Cause.STATE_UNDECODABLE
        assert "value does not fit" in verdict.suspension.error

    def test_the_ask_that_found_out_is_told_why(self) -> None:
        verdict = settled(failed(ASK, UNREADABLE))
        assert error_in(verdict.reply).kind == "StateUndecodableError"
        assert verdict.suspension is not None

    def test_who_never_restarts_is_suspended_by_it_too(self) -> None:
        assert settled(failed(TELL, UNREADABLE), replace(TERMS, restarts=None)).suspension is not None

    def test_what_cannot_be_parked_comes_back(self) -> None:
        verdict = settled(failed(TELL, UNREADABLE), replace(TERMS, parks=False))
        [again] = verdict.outgoing
        assert (again.destination, again.due_ms) == (Destination.DELAY, NOW_MS + COMES_BACK_SECONDS * 1000)
        assert from_wire(again.message).attempt == TELL.attempt

    def test_somebody_looks_at_it_again_after_a_while_and_at_others_never(self) -> None:
        unreadable = Suspension(Cause.STATE_UNDECODABLE, "", NOW_MS)
        assert due_ms(unreadable, NOW_MS, NEVER_MS) == NOW_MS + READ_AGAIN_SECONDS * 1000
        assert due_ms(BROKEN, NOW_MS, NEVER_MS) == NEVER_MS
        assert due_ms(Suspension("of a later release", "", 1), NOW_MS, NEVER_MS) == NEVER_MS


class TestTurnsOfSuspendedActors:
    @staticmethod
    def first(envelope: Envelope, terms: Terms) -> tuple[t.Turn, t.Command]:
        turn = t.Turn(envelope, terms)
        assert turn.next(t.Received(NOW_MS)) == t.LookUp()
        return turn, turn.next(t.Fresh())

    def test_an_ask_does_not_run_and_is_told(self) -> None:
        turn, commit = self.first(ASK, replace(TERMS, suspension=BROKEN))
        assert isinstance(commit, t.Commit)
        assert (commit.keep, commit.reply, commit.outgoing, commit.suspension) == (False, None, (), None)
        assert turn.next(t.Committed()) == t.Dispatch()
        answer = turn.next(t.Sent())
        assert isinstance(answer, t.Answer)
        error = error_in(answer.reply)
        assert error.kind == "ActorSuspendedError"
        assert error.recoverable
        assert error.message == (
            "Counter/c1 is suspended (faults: failed twice), and increment did not run: mend the cause, "
            "then broker-actors actors resume Counter c1"
        )
        assert turn.error == error
        assert turn.next(t.Answered()) == t.Ack("suspended")

    def test_a_suspect_is_not_charged_for_it(self) -> None:
        _, commit = self.first(ASK, replace(TERMS, suspension=BROKEN, suspect=True))
        assert isinstance(commit, t.Commit)

    def test_a_duplicate_gets_its_reply(self) -> None:
        turn = t.Turn(ASK, replace(TERMS, suspension=BROKEN))
        turn.next(t.Received(NOW_MS))
        assert turn.next(t.Duplicate(of_result(5))) == t.Answer(of_result(5))

    def test_a_tell_that_cannot_be_parked_comes_back_as_the_same_attempt(self) -> None:
        turn, commit = self.first(TELL, replace(TERMS, suspension=BROKEN, parks=False))
        assert isinstance(commit, t.Commit)
        [again] = commit.outgoing
        assert again.due_ms == NOW_MS + COMES_BACK_SECONDS * 1000
        envelope = from_wire(again.message)
        assert (envelope.attempt, envelope.history) == (TELL.attempt, TELL.history)
        turn.next(t.Committed())
        assert turn.next(t.Sent()) == t.Ack("suspended")

    def test_a_tell_for_which_there_is_no_room_is_kept(self) -> None:
        _, commit = self.first(TELL, replace(TERMS, suspension=BROKEN, overflows=True))
        assert isinstance(commit, t.Commit)
        assert dead.read(commit.outgoing[0].message).reason == "parked_full"


@given(
    envelope=some.envelopes,
    error=some.errors
    | st.sampled_from([BOOM, UNREADABLE, describe(SystemFaultError("x", recoverable=False))]),
    parks=st.booleans(),
    blocks=st.booleans(),
    faults=st.integers(0, 3),
    chance=st.floats(0, 0.99),
)
def test_nothing_is_given_up_that_would_have_been_tried_again(
    envelope: Envelope, error: ErrorRecord, *, parks: bool, blocks: bool, faults: int, chance: float
) -> None:
    terms = replace(TERMS, parks=parks, blocks=blocks and parks, restarts=ONE if parks else None)
    failure = Failure(envelope, 1, "", error, NOW_MS)
    verdict, rest = supervise(failure, terms, (NOW_MS,) * faults, chance)
    before = judge(failure, terms, chance)
    assert rest.wait_seconds >= 0
    if isinstance(verdict, WaitHere):
        assert isinstance(before, WaitHere)
        assert verdict.seconds >= before.seconds
        return
    dropped = any(item.destination is Destination.DEAD for item in verdict.outgoing)
    if not envelope.is_ask and isinstance(before, Settled):
        assert not dropped or any(item.destination is Destination.DEAD for item in before.outgoing)
    assert dropped or verdict.reply is not None or verdict.head is not None or verdict.outgoing
    assert verdict.suspension is None or counts(error) or error.kind == "StateUndecodableError"
    assert verdict.head is None or parks
    tells = [item.message for item in verdict.outgoing if item.destination is Destination.DELAY]
    next_ones = [from_wire(tell) for tell in tells] + ([verdict.head.envelope] if verdict.head else [])
    # An attempt counts as settled with its commit: one that did not run must not.
    assert verdict.unrun == any(one.attempt == failure.attempt for one in next_ones)
