"""Who owns and consumes which mailbox, decided by each worker for itself."""

from __future__ import annotations

import random
from collections import Counter as Tally
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.member import LEASE_SECONDS, Member
from broker_actors.core.sharing import Standing, Step, candidates, is_certain, next_step, rankings

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=6)
MAILBOXES = st.lists(st.text(max_size=20), unique=True, max_size=20)
TRIALS = 12


def owners(mailboxes: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    return {mailbox: ranked[0] for mailbox, ranked in rankings(mailboxes, names).items()}


def of_type(count: int) -> list[str]:
    return [f"actors.Counter.g1.{n}" for n in range(count)]


def workers(count: int, trial: int) -> list[str]:
    return [f"web-{n}:4711:{trial * 1000 + n:08x}" for n in range(count)]


@given(MAILBOXES, NAMES, st.randoms(use_true_random=False))
def test_rankings_are_the_same_in_every_order(
    mailboxes: list[str], names: list[str], order: random.Random
) -> None:
    ranked = rankings(mailboxes, names)
    assert ranked.keys() == set(mailboxes)
    assert all(sorted(names) == sorted(one) for one in ranked.values())
    order.shuffle(mailboxes)
    order.shuffle(names)
    assert rankings(mailboxes, names) == ranked


@given(MAILBOXES, NAMES.filter(bool))
def test_everybody_has_an_even_share(mailboxes: list[str], names: list[str]) -> None:
    share, more = divmod(len(mailboxes), len(names))
    shares = Tally(owners(mailboxes, names).values())
    assert sorted(shares[name] for name in names) == [share] * (len(names) - more) + [share + 1] * more


@given(MAILBOXES, NAMES)
def test_who_stands_by_owns_the_mailbox_when_its_owner_is_gone(
    mailboxes: list[str], names: list[str]
) -> None:
    ranked = rankings(mailboxes, names)
    for gone in names:
        rest = [name for name in names if name != gone]
        without = rankings(mailboxes, rest)
        for mailbox in mailboxes:
            if ranked[mailbox][0] == gone:
                assert ranked[mailbox][1:2] == without[mailbox][:1]


@given(NAMES, st.text(min_size=1, max_size=8), st.text(max_size=20))
def test_a_mailbox_shared_out_alone_keeps_its_order_of_workers_when_one_comes_or_goes(
    names: list[str], other: str, mailbox: str
) -> None:
    """Whoever finds out about dedicated mailboxes earlier ranks them as those do who find out later."""
    without = [name for name in names if name != other]
    ranked = rankings([mailbox], {*names, other})[mailbox]
    assert [name for name in ranked if name != other] == rankings([mailbox], without)[mailbox]


def test_mailboxes_shared_out_alone_are_shared_about_evenly() -> None:
    names = workers(4, 0)
    shares = Tally(owners([mailbox], names)[mailbox] for mailbox in of_type(1000))
    assert min(shares.values()) > 180, shares


@pytest.mark.parametrize(
    ("count", "before", "moved_max"),
    [
        # On average the one that comes needs 4, 2.7, 21.3, 12.8 and 7.1 of them.
        pytest.param(8, 1, 4.0),
        pytest.param(8, 2, 3.5),
        pytest.param(64, 2, 24.0),
        pytest.param(64, 4, 17.0),
        pytest.param(64, 8, 13.0),
    ],
)
def test_a_worker_that_comes_moves_hardly_more_than_it_gets(
    count: int, before: int, moved_max: float
) -> None:
    mailboxes, moved = of_type(count), 0
    for trial in range(TRIALS):
        *old, new = workers(before + 1, trial)
        earlier, later = owners(mailboxes, old), owners(mailboxes, [*old, new])
        moved += sum(earlier[mailbox] != later[mailbox] for mailbox in mailboxes)
    assert moved / TRIALS <= moved_max


def test_only_workers_of_the_type_that_stay_are_candidates() -> None:
    counter, order = frozenset({"Counter"}), frozenset({"Order"})
    members = [Member("a", counter), Member("b", order), Member("c", counter, leaving=True)]
    assert candidates("Counter", members) == ["a"]


def test_the_owner_and_one_who_stands_by_open_and_nobody_else() -> None:
    ranked = ["a", "b", "c"]
    steps = {name: next_step(name, ranked, set(), Standing()) for name in (*ranked, "stranger")}
    assert steps == {"a": Step.OPEN, "b": Step.OPEN, "c": Step.STAY, "stranger": Step.STAY}


def test_nobody_gives_a_mailbox_up_before_its_owner_consumes_it() -> None:
    for standing in (Standing(consuming=True), Standing(consuming=True, served=True)):
        assert next_step("c", ["a", "b", "c"], {"b", "c"}, standing) is Step.STAY
        assert next_step("b", ["a", "b", "c"], {"b", "c"}, standing) is Step.STAY


def test_who_stands_by_yields_only_if_it_is_served_and_nobody_waits_before_the_owner() -> None:
    ranked, served = ["a", "b", "c"], Standing(consuming=True, served=True)
    assert next_step("b", ranked, {"a", "b"}, Standing(consuming=True)) is Step.STAY
    assert next_step("b", ranked, {"a", "b", "c"}, served) is Step.STAY
    assert next_step("c", ranked, {"a", "b", "c"}, served) is Step.CLOSE
    assert next_step("b", ranked, {"a", "b"}, served) is Step.YIELD


def test_who_is_served_trusts_no_last_word() -> None:
    doubting = Standing(consuming=True, served=True, certain=False)
    assert next_step("c", ["a", "b", "c"], {"a", "b", "c"}, doubting) is Step.STAY
    assert next_step("b", ["a", "b", "c"], {"a", "b"}, doubting) is Step.STAY


def test_a_mailbox_with_a_long_turn_is_not_given_away() -> None:
    busy = Standing(consuming=True, served=True, settled=False)
    assert next_step("b", ["a", "b", "c"], {"a", "b"}, busy) is Step.STAY
    assert next_step("c", ["a", "b", "c"], {"a", "b", "c"}, busy) is Step.STAY


@pytest.mark.parametrize(
    ("owner_said_seconds", "asked_seconds", "certain"),
    [
        pytest.param(11.0, 11.0, True, id="it came after we were served"),
        pytest.param(9.0, 10.5, False, id="we may be served because it is dead"),
        pytest.param(10.0, 10.5, False, id="the same moment says nothing"),
        pytest.param(9.0, 10.0 + LEASE_SECONDS + 0.1, True, id="it has renewed since"),
    ],
)
def test_an_owner_is_certain_if_it_lives_after_we_were_served(
    owner_said_seconds: float, asked_seconds: float, certain: bool
) -> None:
    assert is_certain(10.0, owner_said_seconds, asked_seconds) is certain
