"""The checker finds nothing in simulated disasters, and finds each mutant by what it really did."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from tests.checker.simulated import history_of
from tests.checker.verdict import violations
from tests.simulation import run as simulation
from tests.simulation.command import hurried_collection
from tests.simulation.mutants import MUTANTS
from tests.simulation.scenarios import SCENARIOS, scenario_of
from tests.simulation.workload import Workload
from tests.simulation.world import World

#: Faults of a platform that show in what its callers and actors hold, and as what.
SEEN = {
    "no fence": {"doubled", "lost", "phantom"},
    "ack before commit": {"lost"},
    "no dedup of numbers": {"doubled", "wrong answer"},
    "bare high-water mark": {"lost"},
    "dispatch before commit": {"doubled", "phantom"},
    "fenced taken for committed": {"lost"},
    "tells of a failed run leave": {"phantom"},
    "no rollback": {"doubled", "lost", "undone", "wrong answer"},
    "outbox trimmed by count": {"lost"},
    "hand-over by basic.cancel": {"reordered"},
}
SEEDS = 200 * len(SCENARIOS)
#: Classes of trouble in which a mutant shows, of those that seldom do in others.
SHOWS = {"hand-over by basic.cancel": "windows full of asks", "bare high-water mark": "broker"}
PATIENT = pytest.mark.timeout(110)


@pytest.fixture(autouse=True)
def checker() -> Iterator[None]:
    """Let the checker judge what the simulation plays."""
    with patch.object(simulation, "problems_of", _problems), hurried_collection():
        yield


def _is_judged(seed: int) -> bool:
    """Return whether the checker knows what is promised: one effect a call, and a store that keeps it."""
    scenario = scenario_of(seed)
    return not (scenario.sections or scenario.rolls_back or scenario.timed)


def _problems(world: World, workload: Workload) -> list[str]:
    return [f"{kind}: {text}" for kind, text in violations(history_of(world, workload))]


@PATIENT
def test_nothing_is_found_where_nothing_is_wrong() -> None:
    for seed in filter(_is_judged, range(4 * len(SCENARIOS))):
        found = simulation.run(seed)
        assert not found.problems, (seed, found.scenario, found.problems)


@PATIENT
@pytest.mark.parametrize("name", SEEN)
def test_a_mutant_is_caught_by_what_it_did(name: str) -> None:
    kinds = {found.kind for found in violations(history_of(*_first_bad(name)))}
    assert kinds & SEEN[name], kinds


def _first_bad(name: str) -> tuple[World, Workload]:
    """Return the first world the mutant spoils in a way the checker sees, and nothing else did."""
    played: list[tuple[World, Workload]] = []

    def problems(world: World, workload: Workload) -> list[str]:
        found = _problems(world, workload)
        if found:
            played.append((world, workload))
        return found

    with MUTANTS[name](), patch.object(simulation, "problems_of", problems):
        for seed in filter(_is_judged, range(SEEDS)):
            if SHOWS.get(name) in {None, SCENARIOS[seed % len(SCENARIOS)].name}:
                simulation.run(seed)
            if played:
                return played[0]
    raise AssertionError(f"{name} goes unnoticed in {SEEDS} seeds")
