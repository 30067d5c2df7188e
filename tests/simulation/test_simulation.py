"""Thousands of seeds of every class of trouble hold every promise; one that did not would replay exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.command import hurried_collection
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.summary import Summary

#: 100 of each class: what one core runs in about two minutes.
SEEDS = 100 * len(SCENARIOS)
#: There are so many points that each has but a few seeds; and a mutant need not show in the first ones.
MORE_SEEDS = 400 * len(SCENARIOS)
#: Classes in which a mutant shows, of those that seldom do in others.
SHOWS = {
    "answers not kept": "orderly",
    "crashes not counted": "messages that kill",
    "windows crowded": "orderly",
    "parking forgotten": "orderly",
    "parked and not accepted": "orderly",
    "nothing parked beneath": "a failed message blocks",
    "suspended actors run": "suspended actors",
    "suspension forgotten": "suspended actors",
    "parking passed by": "a failed message blocks",
    "rollback unseen": "store rollback",
    "versions alone compared": "store rollback",
    "numbers go on after a rollback": "store rollback",
    "sections uncounted": "sections",
    "layouts unchecked": "another layout",
    "missed ticks skipped": "reminders and cancelled tells",
    "cancelled tells run": "reminders and cancelled tells",
}
#: Above any machine's time for one class, and below what makes the interpreter give up.
PATIENT = pytest.mark.timeout(110)


@pytest.fixture(autouse=True)
def seldom_collected() -> Iterator[None]:
    with hurried_collection():
        yield


@PATIENT
@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=[scenario.name for scenario in SCENARIOS])
def test_every_promise_holds(number: int) -> None:
    summary = Summary()
    seeds = MORE_SEEDS if SCENARIOS[number].points else SEEDS
    for seed in range(number, seeds, len(SCENARIOS)):
        summary.add(run(seed))
    assert not summary.failed, "\n".join(summary.lines(1.0))
    # Or it would have shown nothing.
    assert summary.commits > 1_000
    if SCENARIOS[number].points:
        assert not summary.never_crashed_at
    if SCENARIOS[number].name == "frozen workers":
        assert summary.fenced


@PATIENT
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    classes = len(SCENARIOS)
    seeds = [seed for seed in range(MORE_SEEDS) if SHOWS.get(name) in {None, SCENARIOS[seed % classes].name}]
    with MUTANTS[name]():
        assert any(run(seed).problems for seed in seeds), f"{name} goes unnoticed in {len(seeds)} seeds"


@pytest.mark.verify
def test_a_seed_replays_exactly_alone_and_as_the_500th_whatever_texts_hash_to() -> None:
    with (
        _start("--first", "499", "--seeds", "1", hash_seed="1") as alone,
        _start("--first", "0", "--seeds", "500", hash_seed="2") as early,
        _start("--first", "300", "--seeds", "200", hash_seed="3") as late,
    ):
        digests = _digests(early)
        assert len(digests) == 500
        assert _digests(late) == digests[300:]
        assert _digests(alone) == digests[499:]


def test_the_history_of_a_seed_can_be_read() -> None:
    history = run(1, tells=True).history
    assert any("committed Book/" in line for line in history)
    assert any("confirmed" in line for line in history)


def _start(*arguments: str, hash_seed: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.simulation", *arguments, "--digests"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


def _digests(started: subprocess.Popen[str]) -> list[str]:
    said, _ = started.communicate()
    assert started.returncode == 0
    return said.splitlines()
