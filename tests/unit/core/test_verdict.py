"""What becomes of a run that raised."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker_actors.core import dead, history, reply
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.core.errors import (
    BusinessError,
    CallCycleError,
    ErrorRecord,
    IdempotencyConflictError,
    InvalidArgumentsError,
    NewerStateError,
    PayloadTooLargeError,
    StoreUnavailableError,
    SystemFaultError,
    UndecodableError,
    UnknownMethodError,
    describe,
)
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.reply import Reply
from broker_actors.core.retry import UNKNOWN_TARGET, Retry
from broker_actors.core.verdict import (
    BUSINESS_KINDS,
    WAIT_HERE_SECONDS_MAX,
    Failure,
    Settled,
    Terms,
    WaitHere,
    conflict,
    judge,
)
from tests.unit.core import strategies as some

NOW_MS = 1_700_000_000_000
POLICY = Retry(attempts=3, min_backoff=4.0, max_backoff=60.0)
TERMS = Terms(POLICY, durable=True, mailbox="actors.Counter.g1.3")
TELL = Envelope(Address("Counter", "c1"), "increment", sender="s", seq=5)
ASK = replace(TELL, reply_to="channel", correlation_id="7", deadline_ms=NOW_MS + 30_000)
BUSINESS = [BusinessError, InvalidArgumentsError, IdempotencyConflictError, CallCycleError]

terms = st.builds(
    Terms,
    st.builds(Retry, st.integers(1, 5), st.floats(0, 5), st.floats(5, 100)),
    durable=st.booleans(),
    mailbox=some.short_texts,
)
chances = st.floats(0, 1, exclude_max=True)


def failed(envelope: Envelope, error: BaseException, attempt: int = 1) -> Failure:
    return Failure(envelope, attempt, "", describe(error), NOW_MS)


def settled(failure: Failure, terms: Terms = TERMS, chance: float = 0.5) -> Settled:
    verdict = judge(failure, terms, chance)
    assert isinstance(verdict, Settled)
    return verdict


def error_in(answer: Reply | None) -> ErrorRecord:
    assert answer is not None
    error = reply.read(answer)
    assert isinstance(error, ErrorRecord)
    return error


def only(items: tuple[Outgoing, ...], destination: Destination) -> Outgoing:
    (item,) = items
    assert item.destination is destination
    return item


# --- business errors ----------------------------------------------------------------


def test_business_kinds_are_the_business_errors() -> None:
    assert {describe(cls("x")).kind for cls in BUSINESS} == BUSINESS_KINDS


@pytest.mark.parametrize("cls", BUSINESS)
def test_an_ask_is_answered_with_the_business_error_and_a_record_is_kept(cls: type[BusinessError]) -> None:
    verdict = settled(failed(ASK, cls("sold_out")))
    assert (verdict.outcome, verdict.record, verdict.outgoing) == ("business_error", True, ())
    assert (error_in(verdict.reply).kind, error_in(verdict.reply).code) == (cls.__name__, "sold_out")


@pytest.mark.parametrize("cls", BUSINESS)
def test_a_tell_that_is_refused_is_a_rejected_letter(cls: type[BusinessError]) -> None:
    verdict = settled(failed(TELL, cls("sold_out")))
    assert (verdict.outcome, verdict.record) == ("dead_lettered", True)
    letter = dead.read(only(verdict.outgoing, Destination.DEAD).message)
    assert (letter.reason, letter.origin) == ("rejected", "actors.Counter.g1.3")


@given(some.envelopes, some.errors, terms, chances, st.integers(1, 5))
def test_a_business_error_is_never_tried_again(
    envelope: Envelope, error: ErrorRecord, terms: Terms, chance: float, attempt: int
) -> None:
    refusal = replace(error, kind="BusinessError", recoverable=True)
    verdict = judge(Failure(envelope, attempt, "", refusal, NOW_MS), terms, chance)
    assert isinstance(verdict, Settled)
    assert all(item.destination is Destination.DEAD for item in verdict.outgoing)


# --- faults ---------------------------------------------------------------------------


def test_a_short_wait_happens_in_place() -> None:
    verdict = judge(failed(TELL, ValueError("boom")), TERMS, 0.2)
    assert verdict == WaitHere(0.8, history.appended("", 1, describe(ValueError("boom")), NOW_MS))


def test_a_long_wait_happens_in_the_broker() -> None:
    verdict = settled(failed(ASK, ValueError("boom")))
    assert (verdict.outcome, verdict.reply, verdict.record) == ("retried", None, False)
    retry = only(verdict.outgoing, Destination.DELAY)
    assert retry.due_ms == NOW_MS + 2_000
    envelope = from_wire(retry.message)
    assert (envelope.attempt, envelope.key) == (2, "r:n:s:5:2")
    assert (envelope.reply_to, envelope.correlation_id, envelope.deadline_ms) == (
        "channel",
        "7",
        ASK.deadline_ms,
    )
    assert history.read(envelope.history) == [{"attempt": 1, "at_ms": NOW_MS, "error": "ValueError: boom"}]


def test_a_wait_of_one_second_is_a_long_one() -> None:
    assert isinstance(judge(failed(TELL, ValueError()), TERMS, WAIT_HERE_SECONDS_MAX / 4 - 0.001), WaitHere)
    assert isinstance(judge(failed(TELL, ValueError()), TERMS, WAIT_HERE_SECONDS_MAX / 4), Settled)


def test_a_retry_keeps_the_users_key() -> None:
    retry = only(settled(failed(replace(TELL, key="order-42"), ValueError())).outgoing, Destination.DELAY)
    assert from_wire(retry.message).key == "order-42"


@pytest.mark.parametrize(
    ("error", "attempt"),
    [(ValueError("boom"), 3), (ValueError("boom"), 4), (SystemFaultError("boom", recoverable=False), 1)],
)
def test_a_fault_that_ends_is_answered_or_buried_and_never_recorded(error: Exception, attempt: int) -> None:
    asked, told = settled(failed(ASK, error, attempt)), settled(failed(TELL, error, attempt))
    assert (asked.outcome, asked.record, asked.outgoing) == ("fault", False, ())
    assert error_in(asked.reply).message == "boom"
    assert (told.outcome, told.record) == ("dead_lettered", False)
    letter = dead.read(only(told.outgoing, Destination.DEAD).message)
    assert letter.reason == "failed"
    assert history.read(letter.history)[-1] == {
        "attempt": attempt,
        "at_ms": NOW_MS,
        "error": f"{type(error).__name__}: boom",
    }


def test_a_letter_has_the_history_of_all_attempts() -> None:
    past = history.appended("", 1, describe(ValueError("first")), 0)
    failure = Failure(TELL, 3, past, describe(ValueError("last")), NOW_MS)
    letter = dead.read(only(settled(failure).outgoing, Destination.DEAD).message)
    assert [e["error"] for e in history.read(letter.history) if isinstance(e, dict)] == [
        "ValueError: first",
        "ValueError: last",
    ]


def test_a_platform_outage_is_tried_again() -> None:
    assert settled(failed(TELL, StoreUnavailableError("away"))).outcome == "retried"


@pytest.mark.parametrize("envelope", [ASK, replace(TELL, deadline_ms=NOW_MS + 1_999)])
def test_a_retry_that_nobody_would_run_is_not_sent(envelope: Envelope) -> None:
    late = replace(envelope, deadline_ms=NOW_MS + 1_999)
    assert settled(failed(late, ValueError())).outcome == ("fault" if late.is_ask else "dead_lettered")
    in_time = replace(envelope, deadline_ms=NOW_MS + 2_001)
    assert settled(failed(in_time, ValueError())).outcome == "retried"


def test_a_wait_in_place_past_the_deadline_is_not_begun() -> None:
    verdict = judge(failed(replace(ASK, deadline_ms=NOW_MS + 400), ValueError()), TERMS, 0.2)
    assert isinstance(verdict, Settled)
    assert verdict.outcome == "fault"


# --- targets and bodies -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnknownMethodError("no method 'increment'"), "unknown_target"),
        (NewerStateError("of version 2"), "newer_state"),
    ],
    ids=["unknown method", "newer state"],
)
def test_what_another_release_may_know_waits_for_a_rolling_deploy_whatever_the_policy_says(
    error: SystemFaultError, reason: str
) -> None:
    terms = replace(TERMS, retry=Retry(attempts=1))
    assert isinstance(judge(failed(TELL, error), terms, 0.9), WaitHere)
    assert settled(failed(TELL, error, 2), terms, 0.9).outcome == "retried"
    letter = dead.read(
        only(settled(failed(TELL, error, UNKNOWN_TARGET.attempts), terms).outgoing, Destination.DEAD).message
    )
    assert letter.reason == reason


@pytest.mark.parametrize("envelope", [ASK, TELL])
def test_what_nobody_can_read_is_buried_even_if_somebody_waits(envelope: Envelope) -> None:
    verdict = settled(failed(envelope, UndecodableError("not valid msgpack")))
    assert verdict.outcome == "dead_lettered"
    assert dead.read(only(verdict.outgoing, Destination.DEAD).message).reason == "undecodable"
    assert error_in(verdict.reply).kind == "UndecodableError"


def test_a_result_over_its_limit_is_a_failure_and_no_fault_of_the_message() -> None:
    assert settled(failed(ASK, PayloadTooLargeError("the result has 2 MB"))).outgoing == ()
    letter = dead.read(
        only(settled(failed(TELL, PayloadTooLargeError("2 MB"))).outgoing, Destination.DEAD).message
    )
    assert letter.reason == "failed"


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("application/json", "application/json"),
        ("application/msgpack", "application/msgpack"),
        ("text/plain", "application/msgpack"),
    ],
)
def test_an_answer_is_encoded_like_the_ask_if_that_encoding_is_known(sent: str, answered: str) -> None:
    verdict = settled(failed(replace(ASK, content_type=sent), UndecodableError("unknown content type")))
    assert verdict.reply is not None
    assert verdict.reply.content_type == answered
    assert error_in(verdict.reply).kind == "UndecodableError"


# --- conflicts --------------------------------------------------------------------------


def test_a_conflicting_ask_is_answered_and_not_recorded() -> None:
    verdict = conflict(replace(ASK, key="order-42"), TERMS, NOW_MS)
    assert (verdict.outcome, verdict.record, verdict.outgoing) == ("conflict", False, ())
    assert error_in(verdict.reply).kind == "IdempotencyConflictError"
    assert "'order-42'" in error_in(verdict.reply).message


def test_a_conflicting_tell_is_a_rejected_letter_that_leaves_the_record_alone() -> None:
    verdict = conflict(replace(TELL, key="order-42"), TERMS, NOW_MS)
    assert (verdict.outcome, verdict.record) == ("dead_lettered", False)
    letter = dead.read(only(verdict.outgoing, Destination.DEAD).message)
    assert (letter.reason, letter.died_ms) == ("rejected", NOW_MS)


# --- every mix ----------------------------------------------------------------------------


@given(some.envelopes, some.errors, terms, chances, st.integers(1, 10), st.integers(0, 2**45))
@example(envelope=TELL, error=describe(ValueError()), terms=TERMS, chance=0.1, attempt=1, now_ms=NOW_MS)
def test_what_ends_is_told_to_somebody_and_what_does_not_is_on_its_way(
    envelope: Envelope, error: ErrorRecord, terms: Terms, chance: float, attempt: int, now_ms: int
) -> None:
    verdict = judge(Failure(envelope, attempt, "", error, now_ms), terms, chance)
    if isinstance(verdict, WaitHere):
        assert 0 <= verdict.seconds < WAIT_HERE_SECONDS_MAX
        return
    destinations = [item.destination for item in verdict.outgoing]
    if verdict.outcome == "retried":
        assert destinations == [Destination.DELAY]
        assert verdict.reply is None
        retry = from_wire(verdict.outgoing[0].message)
        assert (retry.attempt, retry.digest()) == (attempt + 1, envelope.digest())
        assert verdict.outgoing[0].due_ms >= now_ms + 1_000
        assert not envelope.expired(verdict.outgoing[0].due_ms)
    else:
        assert verdict.reply is not None
        assert envelope.is_ask or destinations == [Destination.DEAD]
        assert set(destinations) <= {Destination.DEAD}
