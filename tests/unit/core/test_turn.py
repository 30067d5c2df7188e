"""The turn protocol, walked along every path its table of answers allows."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import dead, history, reply
from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, from_wire
from broker_actors.core.errors import (
    BusinessError,
    CallCancelledError,
    ErrorRecord,
    PayloadTooLargeError,
    SystemFaultError,
    UndecodableError,
    UnknownMethodError,
    describe,
)
from broker_actors.core.outgoing import Destination
from broker_actors.core.reply import Reply, of_result
from broker_actors.core.retry import Retry
from broker_actors.core.verdict import BUSINESS_KINDS, CRASHES_MAX, Terms

NOW_MS = 1_700_000_000_000
RESULT = of_result(5)
RECORDED = of_result(4)
BOOM = describe(ValueError("boom"))
UNSENDABLE = describe(PayloadTooLargeError("headers are 200000 bytes"))
#: With a backoff of two seconds: a wait in place, and one in the broker.
HERE, LATER = 0.1, 0.9
FAILURES = [
    (describe(BusinessError("sold_out")), HERE),
    (BOOM, HERE),
    (BOOM, LATER),
    (describe(SystemFaultError("broken", recoverable=False)), HERE),
    (describe(UndecodableError("bad body")), HERE),
    (describe(UnknownMethodError("no method")), HERE),
    (describe(UnknownMethodError("no method")), LATER),
]
#: A walk is longer than this only if the protocol goes in circles.
STEPS_MAX = 30

TELL = Envelope(Address("Counter", "c1"), "increment", sender="s", seq=1)
ASK = replace(TELL, reply_to="channel", correlation_id="1")
ENVELOPES = {
    "tell": TELL,
    "keyed tell": replace(TELL, key="order-42"),
    "ask": ASK,
    "keyed ask": replace(ASK, key="order-42"),
    "ask with a deadline": replace(ASK, deadline_ms=NOW_MS + 1_000),
    "ask past its deadline": replace(ASK, deadline_ms=NOW_MS),
    "tell past its deadline": replace(TELL, deadline_ms=NOW_MS - 1),
    "foreign tell": Envelope(Address("Counter", "c1"), "increment", message_id="m"),
    "second attempt of an ask": replace(ASK, key="r:n:s:1:2", sender="", seq=0, attempt=2),
}
POLICY = Retry(attempts=2, min_backoff=2.0, max_backoff=2.0)

#: The answers that say nothing but their name.
WITHOUT_CONTENT: Mapping[type[t.Event], t.Event] = {
    type(event): event
    for event in (t.Fresh(), t.Paused(), t.Committed(), t.Fenced(), t.Sent(), t.Answered(), t.Lost())
}

Step = tuple[t.Event, t.Command]


@dataclass(frozen=True)
class Walk:
    """One life of an envelope in a worker."""

    envelope: Envelope
    terms: Terms
    steps: tuple[Step, ...]
    error: ErrorRecord | None

    def commands(self, kind: type[t.Command]) -> list[t.Command]:
        return [command for _, command in self.steps if type(command) is kind]

    def events(self, kind: type[t.Event]) -> list[t.Event]:
        return [event for event, _ in self.steps if type(event) is kind]

    @property
    def commit(self) -> t.Commit | None:
        """What was committed last; None if nothing was."""
        found = None
        for (_, command), (event, _) in zip(self.steps, self.steps[1:], strict=False):
            if isinstance(event, t.Committed):
                assert isinstance(command, t.Commit)
                assert found is None or not self.terms.durable, "a store has one commit of a turn"
                found = command
        return found

    @property
    def has_to_send(self) -> bool:
        """Whether what was committed last is to be sent, as far as is known."""
        committed = [event for event, _ in self.steps if isinstance(event, t.Committed)]
        return not committed or committed[-1].sends

    @property
    def runs(self) -> list[t.Returned | ErrorRecord]:
        """How each run ended: what could not be sent without an outbox is a failure after all."""
        found: list[t.Returned | ErrorRecord] = []
        for event, _ in self.steps:
            match event:
                case t.Returned():
                    found.append(event)
                case t.Raised(error=error):
                    found.append(error)
                case t.Refused(error=error) if (
                    found and found[-1] == t.Returned(RESULT) and not self.terms.durable
                ):
                    found[-1] = error
                case _:
                    pass
        return found

    @property
    def end(self) -> t.Command:
        return self.steps[-1][1]


def answers_to(command: t.Command) -> Iterator[t.Event]:
    """Yield every answer *command* may get, with every content that makes a difference."""
    for kind in t.ANSWERS[type(command)]:
        match kind:
            case t.Committed if isinstance(command, t.Commit) and not command.outgoing:
                # What a run has recorded the protocol does not know.
                yield from (t.Committed(), t.Committed(sends=False))
            case t.Raised:
                yield from (t.Raised(error, NOW_MS, chance) for error, chance in FAILURES)
            case t.Refused:
                failures = [(BOOM, HERE), (BOOM, LATER), (UNSENDABLE, HERE)]
                yield from (t.Refused(error, NOW_MS, chance) for error, chance in failures)
            case t.Returned:
                yield t.Returned(RESULT)
            case t.Duplicate:
                yield t.Duplicate(RECORDED)
                yield t.Duplicate(None)
            case t.Unknowable:
                yield t.Unknowable(NOW_MS)
            case t.Conflict:
                yield t.Conflict(NOW_MS)
            case t.Charged:
                yield t.Charged(0, NOW_MS)
                yield t.Charged(CRASHES_MAX - 1, NOW_MS)
                yield t.Charged(CRASHES_MAX, NOW_MS)
            case _:
                yield WITHOUT_CONTENT[kind]


def walked(envelope: Envelope, terms: Terms, events: tuple[t.Event, ...]) -> tuple[t.Turn, tuple[Step, ...]]:
    turn = t.Turn(envelope, terms)
    return turn, tuple((event, turn.next(event)) for event in events)


def walks(envelope: Envelope, terms: Terms) -> Iterator[Walk]:
    """Yield every walk there is: at each step the turn goes on as many turns as there are answers."""
    paths = [walked(envelope, terms, (t.Received(NOW_MS, is_next=is_next),)) for is_next in (False, True)]
    while paths:
        turn, steps = paths.pop()
        assert len(steps) <= STEPS_MAX, "every path ends"
        answers = list(answers_to(steps[-1][1]))
        if not answers:
            yield Walk(envelope, terms, steps, turn.error)
        for answer in answers:
            branch = copy.copy(turn)
            paths.append((branch, (*steps, (answer, branch.next(answer)))))


@pytest.fixture(scope="module")
def every_walk() -> list[Walk]:
    return [
        walk
        for envelope in ENVELOPES.values()
        for durable in (True, False)
        for walk in walks(envelope, Terms(POLICY, durable=durable, mailbox="actors.Counter.g1.3"))
    ] + [
        walk
        for envelope in (TELL, ASK, ENVELOPES["keyed ask"])
        for durable in (True, False)
        for walk in walks(envelope, Terms(POLICY, durable=durable, suspect=True))
    ]


@pytest.fixture(scope="module")
def parked_walks() -> list[Walk]:
    """What happens to what is parked, and to what finds no room to be parked."""
    return [
        walk
        for envelope in (TELL, ENVELOPES["keyed ask"], ENVELOPES["ask past its deadline"])
        for terms in (Terms(POLICY, durable=True, parked=True), Terms(POLICY, durable=True, overflows=True))
        for walk in walks(envelope, terms)
    ]


def test_every_kind_of_end_is_reached(every_walk: list[Walk]) -> None:
    ends = {walk.end.outcome if isinstance(walk.end, t.Ack) else "abandoned" for walk in every_walk}
    assert ends == {
        *("ok", "business_error", "fault", "retried", "dead_lettered"),
        *("duplicate", "conflict", "expired", "abandoned"),
    }
    assert len(every_walk) > 5_000


def test_every_walk_ends_in_a_final_command_and_only_there(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        *before, last = [command for _, command in walk.steps]
        assert isinstance(last, t.Ack | t.Abandon)
        assert not any(isinstance(command, t.Ack | t.Abandon) for command in before)


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_was_given_up_does_not_run(name: str) -> None:
    envelope = ENVELOPES[name]
    begun = t.Turn(envelope, Terms(POLICY, durable=True)).next(t.Received(NOW_MS, given_up=True))
    assert begun == t.Ack("expired" if envelope.expired(NOW_MS) else "cancelled")


@pytest.mark.parametrize("name", ["ask", "keyed ask", "second attempt of an ask"])
def test_a_run_that_was_given_up_is_neither_retried_nor_answered_nor_kept(name: str) -> None:
    given_up = t.Raised(describe(CallCancelledError("given up", recoverable=False)), NOW_MS, HERE)
    turn = t.Turn(ENVELOPES[name], Terms(POLICY, durable=False))
    commands = [turn.next(event) for event in (t.Received(NOW_MS), given_up, t.Committed(), t.Sent())]
    assert commands[1:] == [t.Commit(keep=False, reply=None), t.Dispatch(), t.Ack("cancelled")]


# --- the four rules ---------------------------------------------------------------------


def test_rule_1_a_delivery_is_acknowledged_only_when_its_outcome_is_durable_elsewhere(
    every_walk: list[Walk],
) -> None:
    for walk in every_walk:
        if not isinstance(walk.end, t.Ack):
            continue
        if walk.end.outcome in {"expired", "duplicate"}:
            assert not walk.commands(t.Commit), "nothing happened, or it is on record already"
            continue
        assert walk.commit is not None
        sent = bool(walk.events(t.Sent)) or not walk.has_to_send
        assert sent or walk.terms.durable, "without an outbox only the broker's confirm makes it durable"


def test_rule_2_nothing_leaves_before_the_commit(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        kinds = [type(command) for _, command in walk.steps]
        if t.Dispatch in kinds:
            assert t.Committed in [type(event) for event, _ in walk.steps[: kinds.index(t.Dispatch) + 1]]
        if t.Answer in kinds and not walk.events(t.Duplicate):
            assert t.Committed in [type(event) for event, _ in walk.steps[: kinds.index(t.Answer) + 1]]
            assert t.Dispatch in kinds[: kinds.index(t.Answer)] or not walk.has_to_send


def test_rule_3_a_failed_run_leaves_nothing_of_its_own_behind(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        for event, command in walk.steps:
            if isinstance(command, t.Commit):
                assert command.keep == isinstance(event, t.Returned)


def test_rule_4_fenced_means_unknown(every_walk: list[Walk]) -> None:
    fenced = [walk for walk in every_walk if walk.events(t.Fenced)]
    assert fenced
    for walk in fenced:
        assert isinstance(walk.end, t.Abandon)
        assert not walk.commands(t.Answer)
        assert not walk.commands(t.Dispatch) or walk.events(t.Refused), "that was an earlier commit's"


# --- outcomes -----------------------------------------------------------------------------


def test_a_business_error_is_never_run_again(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        for (event, command), _ in zip(walk.steps, walk.steps[1:], strict=False):
            if isinstance(event, t.Raised) and event.error.kind in BUSINESS_KINDS:
                assert isinstance(command, t.Commit)
                assert all(item.destination is Destination.DEAD for item in command.outgoing)


def test_an_ask_gets_exactly_one_answer_unless_there_is_none_to_give(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        answers = walk.commands(t.Answer)
        answerable = isinstance(walk.end, t.Ack) and walk.end.outcome not in {"retried", "expired"}
        unanswered = t.Duplicate(None) in walk.events(t.Duplicate)
        untold = walk.envelope.is_ask and type(walk.steps[-1][0]) is t.Lost and bool(answers)
        assert len(answers) == (
            1 if walk.envelope.is_ask and (answerable or untold) and not unanswered else 0
        )


def test_the_answer_is_what_was_decided(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        for answer in walk.commands(t.Answer):
            assert isinstance(answer, t.Answer)
            if walk.events(t.Duplicate):
                assert answer.reply == RECORDED
            elif walk.runs and isinstance(walk.runs[-1], t.Returned):
                assert answer.reply == RESULT
            else:
                error = reply.read(answer.reply)
                assert isinstance(error, ErrorRecord)
                expected = walk.error.kind if walk.error else "IdempotencyConflictError"
                assert error.kind == expected


def test_a_tell_that_ends_without_an_effect_is_a_dead_letter(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        if walk.envelope.is_ask or walk.commit is None or walk.commit.keep:
            continue
        assert [item.destination for item in walk.commit.outgoing] in (
            [Destination.DEAD],
            [Destination.DELAY],
        )


def test_only_decisions_are_recorded_and_only_under_a_key(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        for event, command in walk.steps:
            if isinstance(command, t.Commit):
                refused = isinstance(event, t.Raised) and event.error.kind in BUSINESS_KINDS
                decided = isinstance(event, t.Returned) or refused
                assert (command.reply is not None) == (decided and bool(walk.envelope.key))


def test_only_envelopes_of_durable_actors_with_a_key_or_a_number_that_is_not_next_are_looked_up(
    every_walk: list[Walk],
) -> None:
    for walk in every_walk:
        received = walk.events(t.Received)[0]
        assert isinstance(received, t.Received)
        is_known = bool(walk.envelope.key or (walk.envelope.seq and not received.is_next))
        expected = is_known and walk.terms.durable and not walk.envelope.expired(NOW_MS)
        assert bool(walk.commands(t.LookUp)) == expected


def test_a_suspect_is_charged_once_before_it_runs_and_nobody_else_is(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        kinds = [type(command) for _, command in walk.steps]
        assert kinds.count(t.Charge) <= 1
        assert t.Charge not in kinds or walk.terms.suspect
        if walk.terms.suspect and t.Run in kinds:
            assert t.Charge in kinds[: kinds.index(t.Run)]


def test_what_crashed_too_often_is_not_run_again_but_kept_and_answered(every_walk: list[Walk]) -> None:
    condemned = [
        walk for walk in every_walk for e in walk.events(t.Charged) if e == t.Charged(CRASHES_MAX, NOW_MS)
    ]
    assert condemned
    for walk in condemned:
        assert not walk.commands(t.Run)
        [commit] = walk.commands(t.Commit)
        assert isinstance(commit, t.Commit)
        letter = dead.read(commit.outgoing[0].message)
        assert letter.reason == dead.Reason.CRASHED
        assert walk.error is not None
        assert walk.error.type == "CrashLoopError"


def test_what_may_have_run_is_kept_and_not_run(every_walk: list[Walk]) -> None:
    unknowable = [walk for walk in every_walk if walk.events(t.Unknowable)]
    assert unknowable
    for walk in unknowable:
        assert not walk.commands(t.Run)
        [commit] = walk.commands(t.Commit)
        assert isinstance(commit, t.Commit)
        assert dead.read(commit.outgoing[0].message).reason == dead.Reason.DEDUP_WINDOW


def test_what_is_past_its_deadline_does_not_run(every_walk: list[Walk]) -> None:
    expired = [walk for walk in every_walk if walk.envelope.expired(NOW_MS)]
    assert expired
    assert all(walk.end == t.Ack("expired") and len(walk.steps) == 1 for walk in expired)


def test_attempts_count_up_and_end(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        attempts = [command.attempt for command in walk.commands(t.Run) if isinstance(command, t.Run)]
        first = walk.envelope.attempt
        assert attempts == list(range(first, first + len(attempts)))
        unknown = any(
            isinstance(e, t.Raised) and e.error.kind == "UnknownMethodError" for e in walk.events(t.Raised)
        )
        assert len(attempts) == 0 or attempts[-1] <= (8 if unknown else POLICY.attempts)


def test_retries_keep_the_users_key_and_letters_the_history_of_all_runs(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        if walk.commit is None:
            continue
        for item in walk.commit.outgoing:
            if item.destination is Destination.DELAY:
                again = from_wire(item.message)
                assert again.key == (walk.envelope.key or f"r:{walk.envelope.identity}:{again.attempt}")
                past = again.history
            else:
                past = dead.read(item.message).history
            unrun = [e for kind in (t.Conflict, t.Charged, t.Unknowable) for e in walk.events(kind)]
            assert len(history.read(past)) == len(walk.runs or unrun)


def test_the_error_is_that_of_the_last_run_and_none_if_it_returned(every_walk: list[Walk]) -> None:
    for walk in every_walk:
        if not walk.runs and walk.events(t.Unknowable) + walk.events(t.Charged):
            continue
        last = walk.runs[-1] if walk.runs else None
        assert walk.error == (None if isinstance(last, t.Returned) else last)


# --- the table --------------------------------------------------------------------------------


def test_the_table_has_every_command_and_every_event_that_is_an_answer() -> None:
    assert set(t.ANSWERS) == set(t.Command.__args__)
    answers = {event for events in t.ANSWERS.values() for event in events}
    assert answers == {*t.Event.__args__} - {t.Received}


@given(
    st.sampled_from(sorted(ENVELOPES)), st.booleans(), st.lists(st.integers(0, 99), max_size=12), st.data()
)
def test_an_event_that_is_no_answer_is_a_protocol_error(
    name: str, durable: bool, choices: list[int], data: st.DataObject
) -> None:
    turn = t.Turn(ENVELOPES[name], Terms(POLICY, durable=durable))
    allowed: list[t.Event] = [t.Received(NOW_MS)]
    for choice in choices:
        if not allowed:
            break
        allowed = list(answers_to(turn.next(allowed[choice % len(allowed)])))
    events = [t.Received(NOW_MS), *(event for command in t.ANSWERS for event in _some_answers(command))]
    wrong = data.draw(st.sampled_from([e for e in events if type(e) not in {type(a) for a in allowed}]))
    with pytest.raises(t.ProtocolError, match=type(wrong).__name__):
        turn.next(wrong)


def _some_answers(command: type[t.Command]) -> Iterator[t.Event]:
    samples: dict[type[t.Command], t.Command] = {
        t.LookUp: t.LookUp(),
        t.Charge: t.Charge(),
        t.Run: t.Run(1),
        t.Pause: t.Pause(0.1),
        t.Commit: t.Commit(keep=True, reply=None),
        t.Dispatch: t.Dispatch(),
        t.Answer: t.Answer(Reply(b"")),
        t.Ack: t.Ack("ok"),
        t.Abandon: t.Abandon(),
    }
    yield from answers_to(samples[command])


# --- the diagram ------------------------------------------------------------------------------


def _drawn() -> set[tuple[str, str]]:
    """Return the arrows of the module's diagram: pairs of names, the first one's place found by column."""
    rows: list[dict[int, str]] = []
    arrows: set[tuple[str, str]] = set()
    for line in (t.__doc__ or "").splitlines():
        if not line.startswith("    ") or " > " not in line:
            continue
        text = re.sub(r"\(.*\)", "", line)
        ends: dict[int, str] = {}
        previous = ""
        for part in re.finditer(r"(> )?(\w+)(?:, or (\w+)[^>]*?(?:, or (\w+)[^>]*)?)?\s*(?=>|$)", text):
            names = [name for name in part.group(2, 3, 4) if name]
            if part.group(1) and not previous:
                previous = next(row[part.start()] for row in reversed(rows) if part.start() in row)
            arrows |= {(previous, name) for name in names if previous}
            previous = names[0]
            ends[part.end()] = previous
        rows.append(ends)
    return arrows


def test_the_diagram_draws_the_table() -> None:
    commands = {command.__name__ for command in t.ANSWERS}
    drawn = {(command, event) for command, event in _drawn() if command in commands}
    assert drawn == {
        (command.__name__, event.__name__) for command, events in t.ANSWERS.items() for event in events
    }


def test_the_diagram_draws_what_happens(every_walk: list[Walk], parked_walks: list[Walk]) -> None:
    commands = {command.__name__ for command in t.ANSWERS}
    drawn = {(event, command) for event, command in _drawn() if event not in commands}
    happened = {
        (type(event).__name__, type(command).__name__)
        for walk in [*every_walk, *parked_walks]
        for event, command in walk.steps
    }
    # What `Lost` leads to depends on the command it answers; `Ack` replaces `Answer` where nobody waits.
    assert (
        drawn | {(event, "Ack") for event in ("Committed", "Sent", "Duplicate", "Lost", "Refused")}
        == happened
    )


def _dispatching(envelope: Envelope, *, durable: bool) -> t.Turn:
    looked_up = (t.Fresh(),) if durable else ()
    events = (t.Received(NOW_MS), *looked_up, t.Returned(RESULT), t.Committed())
    turn, steps = walked(envelope, Terms(POLICY, durable=durable), events)
    assert steps[-1][1] == t.Dispatch()
    return turn


def test_what_an_outbox_holds_is_answered_though_it_cannot_be_sent_now() -> None:
    refused = t.Refused(BOOM, NOW_MS, LATER)
    assert _dispatching(ASK, durable=True).next(refused) == t.Answer(RESULT)
    assert _dispatching(TELL, durable=True).next(refused) == t.Ack("ok")


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_comes_next_is_fresh_without_a_look_up_unless_it_has_a_key(name: str) -> None:
    envelope, terms = ENVELOPES[name], Terms(POLICY, durable=True)
    looked_up = t.Turn(envelope, terms)
    command = looked_up.next(t.Received(NOW_MS))
    if command == t.LookUp() and not envelope.key:
        command = looked_up.next(t.Fresh())
    assert t.Turn(envelope, terms).next(t.Received(NOW_MS, is_next=True)) == command


def test_a_caller_that_was_answered_with_the_commit_is_not_answered_again() -> None:
    for envelope in (ASK, replace(ASK, key="order-42")):
        turn = t.Turn(envelope, Terms(POLICY, durable=True))
        for event in (t.Received(NOW_MS), t.Fresh(), t.Returned(RESULT), t.Committed(answered=True)):
            turn.next(event)
        assert turn.next(t.Sent()) == t.Ack("ok")


def test_without_an_outbox_a_run_whose_tells_cannot_be_sent_has_failed() -> None:
    turn = _dispatching(TELL, durable=False)
    assert isinstance(turn.next(t.Refused(BOOM, NOW_MS, HERE)), t.Pause)
    turn = _dispatching(TELL, durable=False)
    retry = turn.next(t.Refused(BOOM, NOW_MS, LATER))
    assert isinstance(retry, t.Commit)
    assert (retry.keep, [item.destination for item in retry.outgoing]) == (False, [Destination.DELAY])
    assert turn.next(t.Committed()) == t.Dispatch()
    assert turn.next(t.Refused(BOOM, NOW_MS, LATER)) == t.Abandon()
