"""Who has a place of a limiter, and who waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core import limiting
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.limiting import Granted, LineFull, Places, Terms, Waits, ask_again_seconds

LEASE_MS = 10_000
PATIENCE_MS = 5_000
WHO = st.sampled_from("abcdef")
#: What somebody does, and how long after what was done before.
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "renew", "leave"]), WHO, st.integers(0, PATIENCE_MS)), max_size=60
)


def taken(places: Places, who: str, now_ms: int = 0, *, of: int = 1) -> tuple[Places, object]:
    return places.take(who, Terms(of, LEASE_MS), now_ms)


def test_who_comes_first_is_first_however_often_the_others_ask() -> None:
    places, answer = taken(Places(), "a", 1)
    assert answer == Granted(1)
    for n, who in enumerate("bcd"):
        places, answer = taken(places, who, 2)
        assert answer == Waits(n)
    places = places.leave("a", 3)
    for who in "dcdcdc":
        places, answer = taken(places, who, 3)
        assert isinstance(answer, Waits)
    places, answer = taken(places, "b", 4)
    assert answer == Granted(4)


def test_a_holder_that_asks_again_has_the_same_place() -> None:
    places, answer = taken(Places(), "a", 7)
    places, again = taken(places, "a", 7 + LEASE_MS - 1)
    assert again == answer
    # And has renewed it.
    assert places.renew("a", LEASE_MS, 7 + 2 * LEASE_MS - 2)[1]


def test_the_place_of_one_who_died_is_free_after_its_lease_and_it_is_told_if_it_was_not_dead() -> None:
    places, _ = taken(Places(), "a", 0)
    places, answer = taken(places, "b", LEASE_MS - 1)
    assert answer == Waits(0)
    places, answer = taken(places, "b", LEASE_MS)
    assert answer == Granted(LEASE_MS)
    assert places.renew("a", LEASE_MS, LEASE_MS) == (places, False)


def test_whoever_waits_and_does_not_ask_any_more_holds_up_nobody() -> None:
    places, _ = taken(Places(), "a", 0)
    places, _ = taken(places, "gone", 0)
    places, answer = taken(places, "b", 1)
    assert answer == Waits(1)
    places, answer = taken(places.leave("a", 2), "b", PATIENCE_MS)
    assert isinstance(answer, Granted)


def test_the_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "WAITING_MAX", 1)
    places, _ = taken(Places(), "a")
    places, _ = taken(places, "b")
    assert taken(places, "c") == (places, LineFull())
    assert taken(places, "b")[1] == Waits(0)


@given(STEPS, st.integers(1, 3))
def test_no_more_are_inside_than_places_and_tokens_rise(steps: list[tuple[str, str, int]], of: int) -> None:
    places, now_ms, highest = Places(), 0, 0
    tokens: dict[str, int] = {}
    for what, who, later_ms in steps:
        now_ms += later_ms
        before = places
        if what == "take":
            places, answer = taken(before, who, now_ms, of=of)
            if isinstance(answer, Granted):
                assert answer.token == tokens.get(who) or answer.token > highest
                assert answer.token >= now_ms or answer.token == tokens.get(who)
                tokens[who], highest = answer.token, max(highest, answer.token)
        elif what == "renew":
            places, kept = before.renew(who, LEASE_MS, now_ms)
            assert kept == (who in places.holders)
        else:
            places = before.leave(who, now_ms)
            assert who not in {*places.holders, *places.waiting}
        assert len(places.holders) <= of
        assert not places.holders.keys() & places.waiting.keys()
        # Those who still wait do so in the order they did before.
        stayed = [one for one in before.waiting if one in places.waiting]
        assert [one for one in places.waiting if one in before.waiting] == stayed


@given(STEPS)
def test_nobody_starves(steps: list[tuple[str, str, int]]) -> None:
    places, now_ms = Places(), 0
    for what, who, later_ms in steps:
        now_ms += later_ms
        match what:
            case "take":
                places, _ = taken(places, who, now_ms)
            case "renew":
                places, _ = places.renew(who, LEASE_MS, now_ms)
            case _:
                places = places.leave(who, now_ms)
    places, answer = taken(places, "me", now_ms)
    ahead = answer.ahead if isinstance(answer, Waits) else 0
    # Whatever the others do: when so many places were given, it is its turn.
    for _ in range(ahead + 1):
        for holder in list(places.holders):
            if holder != "me":
                places = places.leave(holder, now_ms)
        for one in [*places.waiting, "newcomer"]:
            places, _ = taken(places, one, now_ms)
    assert "me" in places.holders


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_whoever_waits_asks_often_enough_to_keep_its_place(asked: int, chance: float) -> None:
    assert 0 < ask_again_seconds(asked, chance) <= 0.5 < PATIENCE_MS / 1000 / 5


@pytest.mark.parametrize(("places", "lease_ms"), [(0, 5_000), (1_001, 5_000), (1, 999), (1, 86_400_001)])
def test_terms_that_cannot_be_are_refused(places: int, lease_ms: int) -> None:
    with pytest.raises(ConfigurationError):
        Terms(places, lease_ms)
