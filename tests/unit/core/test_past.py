"""A store that has gone back is known from what it says of an actor, whoever commits to that meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import example, given
from hypothesis import strategies as st

from broker_actors.core.past import RESUMPTIONS_MAX, Known, Past, Resumption, kept, resumed

WORKERS = 3


@dataclass(frozen=True)
class Held:
    """An actor as a store holds it: its past, which commits those are, and under which run it was claimed."""

    past: Past = field(default_factory=Past)
    commits: tuple[int, ...] = ()
    run: int = -1


@dataclass
class Worker:
    """What a worker knows: the claim it has, and the commits up to its newest one."""

    known: Known = field(default_factory=lambda: Known(0, 0))
    commits: tuple[int, ...] = ()


class Store:
    """A store, and workers of which each may have a claim, new or stale."""

    def __init__(self) -> None:
        self.held = Held()
        self.backup = self.held
        self.run = 0
        self.now = 0
        self.workers = [Worker() for _ in range(WORKERS)]

    def claim(self, worker: Worker) -> None:
        self.now += 1
        held = self.held
        past = replace(held.past, epoch=self.now)
        if held.run != self.run:
            past = replace(past, resumptions=resumed(held.past, self.now))
        self.held = Held(past, held.commits, self.run)
        worker.known, worker.commits = Known(self.now, held.past.version), held.commits

    def commit(self, worker: Worker) -> None:
        past = self.held.past
        if worker.known != Known(past.epoch, past.version):
            return
        self.now += 1
        commits = (*self.held.commits, self.now)
        self.held = replace(self.held, past=replace(past, version=past.version + 1), commits=commits)
        worker.known, worker.commits = replace(worker.known, version=past.version + 1), commits

    def do(self, what: str, worker: Worker) -> None:
        match what:
            case "claim":
                self.claim(worker)
            case "commit":
                self.commit(worker)
            case "back up":
                self.backup = self.held
            case "restart":
                self.run += 1
            case _:
                self.run += 1
                self.held = self.backup

    def has_lost(self, worker: Worker) -> bool:
        return self.held.commits[: len(worker.commits)] != worker.commits


steps = st.lists(
    st.tuples(
        st.sampled_from(("claim", "commit", "commit", "commit", "back up", "restart", "restore")),
        st.integers(0, WORKERS - 1),
    ),
    max_size=40,
)


def played(steps: list[tuple[str, int]]) -> Store:
    store = Store()
    for what, number in steps:
        store.do(what, store.workers[number])
    return store


OVERTAKEN = [("claim", 0), ("commit", 0), ("restore", 0), ("claim", 1), ("commit", 1), ("commit", 1)]
#: Who is back in possession after the claim of another one is lost commits without a claim.
STALE = [("claim", 0), ("back up", 0), ("claim", 1), ("commit", 1), ("restore", 0), ("commit", 0)]


@given(steps)
@example(OVERTAKEN)
@example(STALE)
@example([*STALE, ("claim", 2)])
@example([*OVERTAKEN, ("restart", 0), ("claim", 1), ("restart", 0), ("claim", 2)])
def test_what_was_lost_is_never_taken_for_kept(steps: list[tuple[str, int]]) -> None:
    store = played(steps)
    for worker in store.workers:
        if store.has_lost(worker):
            assert kept(store.held.past, worker.known) < worker.known.version


@given(steps)
def test_nothing_is_lost_of_what_a_store_that_only_restarts_has(steps: list[tuple[str, int]]) -> None:
    """For everybody who looks after each restart, as long as that takes, and knows what it saw then."""
    store = Store()
    for what, number in steps:
        store.do(what.replace("restore", "restart"), store.workers[number])
        if what in {"restart", "restore"}:
            for worker in store.workers:
                past = store.held.past
                assert kept(past, worker.known) >= worker.known.version
                worker.known = Known(past.epoch, past.version)


@given(steps)
def test_it_is_remembered_how_the_newest_runs_found_an_actor_and_no_more(
    steps: list[tuple[str, int]],
) -> None:
    past = played(steps).held.past
    assert len(past.resumptions) <= RESUMPTIONS_MAX
    epochs = [epoch for one in past.resumptions for epoch in (one.before, one.epoch)]
    assert epochs == sorted(epochs)
    assert [one.version for one in past.resumptions] == sorted(one.version for one in past.resumptions)


def test_how_much_was_left_is_told_as_far_as_it_is_known() -> None:
    known = Known(epoch=20, version=5)
    after = Resumption(30, 20, 2)
    assert kept(Past(20, 3), known) == 3
    assert kept(Past(30, 9, (Resumption(10, 0, 0), after)), known) == 2
    assert kept(Past(40, 9, (Resumption(10, 0, 0), replace(after, version=7))), known) == 7
    # The claim that is known is lost, and so may be any commit under it.
    assert kept(Past(40, 9, (Resumption(10, 0, 0), replace(after, before=19, version=7))), known) == 0
    # There was another run in between, and how that found the actor is forgotten.
    assert kept(Past(60, 9, (Resumption(40, 30, 7), Resumption(50, 45, 8))), known) == 0


def test_what_was_never_written_down_is_compared_by_the_number_of_commits() -> None:
    assert kept(Past(30, 6), Known(20, 5)) == 6
    assert kept(Past(30, 4), Known(20, 5)) == 4
    assert kept(Past(), Known(20, 5)) == 0
