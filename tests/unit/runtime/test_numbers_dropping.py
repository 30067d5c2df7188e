"""Which replies a commit has the store forget: all that are given up, and none that cannot be there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.core.reply import of_result
from broker_actors.ports.commit import Acceptance, Commit
from broker_actors.runtime.numbers import SENDER_KEPT_SECONDS, SKEW_MS, Numbers

ACTOR = Address("Counter", "c1")
NOW_MS = 1_790_000_000_000
DAY_MS = SENDER_KEPT_SECONDS * 1000 + SKEW_MS + 2_000
NUMBERS = range(1, 9)

#: Sender, number, the lowest number whose reply is awaited, whether it is an ask, what came before it.
_turns = st.tuples(
    st.sampled_from(["web", "app"]),
    st.sampled_from(NUMBERS),
    st.sampled_from(NUMBERS),
    st.booleans(),
    st.sampled_from(["nothing", "nothing", "nothing", "another activation", "a day", "one that never runs"]),
)


class Actor:
    """An actor whose commits are written, with what they have forgotten, to *store*."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())
        self.commits = 0

    async def write(self, acceptance: Acceptance) -> None:
        self.commits += 1
        claim = await self.store.claim(ACTOR, "mine")
        await self.store.commit(Commit(claim, str(self.commits), acceptance=acceptance))

    async def kept(self) -> list[tuple[str, int]]:
        senders = ("web", "app")
        return [
            (s, n) for s in senders for n in NUMBERS if await self.store.answered(ACTOR, s, n) is not None
        ]


@given(st.lists(_turns, max_size=20))
async def test_what_is_given_up_is_forgotten_as_if_all_of_it_might_be_there(
    turns: list[tuple[str, int, int, bool, str]],
) -> None:
    actor, other = Actor(), Actor()
    numbers, now_ms = Numbers(actor.store, await actor.store.claim(ACTOR, "mine")), NOW_MS
    for sender, seq, low, is_ask, before in turns:
        if before == "another activation":
            numbers = Numbers(actor.store, await actor.store.claim(ACTOR, "mine"))
        now_ms += DAY_MS if before == "a day" else 1
        one = Envelope(ACTOR, "add", sender=sender, seq=seq, low=low, sent_seconds=now_ms // 1000)
        known = await numbers.of(sender)
        if before == "one that never runs":
            numbers.close(replace(one, seq=seq + 1))
        acceptance = numbers.acceptance(one, of_result(seq) if is_ask else None, 10 * DAY_MS, now_ms)
        assert acceptance is not None
        await actor.write(acceptance)
        numbers.committed(acceptance)
        await other.write(replace(acceptance, dropped=(known.low, acceptance.accepted.low)))
        assert await actor.kept() == await other.kept()


async def test_who_only_tells_has_no_replies_to_forget() -> None:
    actor = Actor()
    numbers = Numbers(actor.store, await actor.store.claim(ACTOR, "mine"))
    await numbers.of("web")
    for seq in NUMBERS:
        one = Envelope(ACTOR, "add", sender="web", seq=seq, low=seq, sent_seconds=NOW_MS // 1000)
        acceptance = numbers.acceptance(one, None, 3600, NOW_MS)
        assert acceptance is not None
        first, end = acceptance.dropped
        assert first >= end
        assert acceptance.accepted == Accepted(seq, (), seq, NOW_MS)
        numbers.committed(acceptance)


@pytest.mark.parametrize("activates", [False, True])
async def test_replies_to_one_who_was_forgotten_are_forgotten_when_it_comes_back(*, activates: bool) -> None:
    actor, late_ms = Actor(), NOW_MS + DAY_MS
    numbers = Numbers(actor.store, await actor.store.claim(ACTOR, "mine"))
    found: list[tuple[tuple[str, ...], tuple[int, int]]] = []
    for sender, seq, low, now_ms in (
        *(("web", 5, 1, NOW_MS), ("app", 1, 1, late_ms)),
        ("web", 8, 8, late_ms + SKEW_MS + 2_000),
    ):
        if activates:
            numbers = Numbers(actor.store, await actor.store.claim(ACTOR, "mine"))
        await numbers.of(sender)
        one = Envelope(ACTOR, "add", sender=sender, seq=seq, low=low, sent_seconds=now_ms // 1000)
        acceptance = numbers.acceptance(one, of_result(seq), 10 * DAY_MS, now_ms)
        assert acceptance is not None
        found.append((acceptance.forget, acceptance.dropped))
        await actor.write(acceptance)
        numbers.committed(acceptance)
    assert found == [((), (0, 0)), (("web",), (0, 0)), ((), (1, 8))]
