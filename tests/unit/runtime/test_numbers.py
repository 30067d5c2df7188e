"""What an activation remembers of its senders."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.dedup import HOLES_MAX, Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.core.reply import Reply, of_result
from broker_actors.core.turn import Duplicate, Fresh, Unknowable
from broker_actors.ports.commit import Commit
from broker_actors.runtime.numbers import SENDER_KEPT_SECONDS, SKEW_MS, Numbers

ACTOR = Address("Counter", "c1")
NOW_MS = 1_790_000_000_000
KEPT_MS = SENDER_KEPT_SECONDS * 1000


def envelope(seq: int, *, low: int = 1, sender: str = "web", asks: bool = False) -> Envelope:
    plain = Envelope(ACTOR, "increment", sender=sender, seq=seq, low=low, sent_seconds=NOW_MS // 1000)
    return replace(plain, reply_to="channel", correlation_id="1") if asks else plain


class Actor:
    """An actor whose turns accept envelopes, over activations."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())

    async def activation(self) -> Numbers:
        return Numbers(self.store, await self.store.claim(ACTOR, "mine"))

    async def accept(
        self, numbers: Numbers, one: Envelope, answer: Reply | None = None, now_ms: int = NOW_MS
    ) -> None:
        await numbers.of(one.sender)
        acceptance = numbers.acceptance(one, answer, 3600, now_ms)
        assert acceptance is not None
        claim = await self.store.claim(ACTOR, "mine")
        await self.store.commit(Commit(claim, f"{one.seq} {now_ms}", acceptance=acceptance))
        numbers.committed(acceptance)


async def test_what_was_accepted_is_a_duplicate_also_in_the_next_activation() -> None:
    actor = Actor()
    first = await actor.activation()
    assert await first.look_up(envelope(1), NOW_MS) == Fresh()
    await actor.accept(first, envelope(1))
    for numbers in (first, await actor.activation()):
        assert await numbers.look_up(envelope(1), NOW_MS) == Duplicate(None)
        assert await numbers.look_up(envelope(2), NOW_MS) == Fresh()
        assert await numbers.look_up(envelope(1, sender="other"), NOW_MS) == Fresh()


@given(
    accepted=st.builds(
        Accepted,
        st.integers(0, 20),
        st.sampled_from([(), ((2, 3),), tuple((n, n) for n in range(1, 2 * HOLES_MAX + 3, 2))]),
        last_ms=st.just(NOW_MS),
    ),
    seq=st.integers(0, 22),
    forgotten_ms=st.sampled_from([0, NOW_MS]),
)
async def test_what_comes_next_is_what_a_look_up_finds_fresh(
    accepted: Accepted, seq: int, forgotten_ms: int
) -> None:
    claim = await MemoryStore(SystemClock()).claim(ACTOR, "mine")
    known = MappingProxyType({"web": accepted})
    numbers = Numbers(MemoryStore(SystemClock()), replace(claim, senders=known, forgotten_ms=forgotten_ms))
    one = envelope(seq)
    assert not numbers.is_next(envelope(seq, sender="somebody else"))
    if numbers.is_next(one):
        assert await numbers.look_up(one, NOW_MS) == Fresh()
        assert numbers.acceptance(one, None, 60, NOW_MS) is not None
    else:
        assert seq != accepted.high + 1 or accepted.holes or not accepted.high


async def test_a_number_below_the_highest_that_never_came_is_still_fresh() -> None:
    actor = Actor()
    numbers = await actor.activation()
    await actor.accept(numbers, envelope(3, low=3))
    assert await numbers.look_up(envelope(2, low=9), NOW_MS) == Fresh(), (
        "it may have been held up by the broker"
    )


async def test_a_duplicate_ask_is_answered_as_it_was_until_its_sender_awaits_it_no_more() -> None:
    actor, answer = Actor(), of_result(5)
    numbers = await actor.activation()
    await actor.accept(numbers, envelope(1, asks=True), answer)
    assert await numbers.look_up(envelope(1, asks=True), NOW_MS) == Duplicate(answer)
    await actor.accept(numbers, envelope(2, low=2, asks=True), answer)
    assert await numbers.look_up(envelope(1, asks=True), NOW_MS) == Duplicate(None)
    assert await numbers.look_up(envelope(2, asks=True), NOW_MS) == Duplicate(answer)


async def test_a_number_that_never_runs_leaves_no_hole() -> None:
    actor = Actor()
    numbers = await actor.activation()
    await actor.accept(numbers, envelope(1))
    numbers.close(envelope(2))
    await actor.accept(numbers, envelope(3))
    assert await actor.store.accepted(ACTOR, "web") == Accepted(3, (), 1, NOW_MS)


async def test_beside_more_holes_than_can_be_remembered_no_number_is_taken_for_fresh() -> None:
    actor = Actor()
    claim = await actor.store.claim(ACTOR, "mine")
    for count, expected in (
        (HOLES_MAX - 1, Fresh()),
        (HOLES_MAX, Unknowable(NOW_MS)),
        # As another release may have left them. What runs and cannot be accepted would run twice.
        (HOLES_MAX + 1, Unknowable(NOW_MS)),
    ):
        holes = tuple((number, number) for number in range(1, 2 * count, 2))
        numbers = Numbers(actor.store, replace(claim, senders={"web": Accepted(2 * count, holes)}))
        beyond = envelope(2 * count + 2)
        assert await numbers.look_up(beyond, NOW_MS) == expected
        assert (numbers.acceptance(beyond, None, 3600, NOW_MS) is not None) == (expected == Fresh())


def sent(one: Envelope, ms: int) -> Envelope:
    return replace(one, sent_seconds=ms // 1000)


async def test_a_sender_unheard_of_is_forgotten_and_what_it_may_have_sent_is_not_run_again() -> None:
    actor = Actor()
    await actor.accept(await actor.activation(), envelope(1))
    late_ms = NOW_MS + KEPT_MS + 1_000
    numbers = await actor.activation()
    await actor.accept(numbers, sent(envelope(1, sender="other"), late_ms), now_ms=late_ms)
    assert await actor.store.accepted(ACTOR, "web") is None
    for activation in (numbers, await actor.activation()):
        assert await activation.look_up(envelope(1), late_ms) == Unknowable(late_ms)
        fresh = sent(envelope(1), NOW_MS + SKEW_MS + 1_000)
        assert await activation.look_up(fresh, late_ms) == Fresh(), "sent after the last of the forgotten"


async def test_nothing_is_forgotten_before_its_time() -> None:
    actor = Actor()
    await actor.accept(await actor.activation(), envelope(1))
    await actor.accept(await actor.activation(), sent(envelope(1, sender="other"), NOW_MS + KEPT_MS))
    assert await actor.store.accepted(ACTOR, "web") is not None


async def test_what_waited_while_all_workers_were_away_is_not_in_doubt() -> None:
    actor = Actor()
    for sender in ("web", "app"):
        await actor.accept(await actor.activation(), envelope(1, sender=sender))
    back_ms = NOW_MS + 3 * KEPT_MS
    numbers = await actor.activation()
    waited = [
        sent(envelope(2, sender="web"), NOW_MS + 1_000),
        sent(envelope(2, sender="app"), NOW_MS + 2_000),
    ]
    for one in (*waited, sent(envelope(1, sender="new"), NOW_MS + 40_000)):
        assert await numbers.look_up(one, back_ms) == Fresh()
        await actor.accept(numbers, one, now_ms=back_ms)
    assert await numbers.look_up(waited[0], back_ms) == Duplicate(None)


async def test_more_missing_than_can_be_remembered_is_not_run() -> None:
    actor = Actor()
    numbers = await actor.activation()
    for seq in range(2, 2_050, 2):
        await actor.accept(numbers, envelope(seq))
    assert await numbers.look_up(envelope(3_000), NOW_MS) == Unknowable(NOW_MS)
    assert numbers.acceptance(envelope(3_000), None, 3600, NOW_MS) is None
    assert await numbers.look_up(envelope(3), NOW_MS) == Fresh()
