"""A hundred thousand actors on the default mailboxes of a type, of which a worker holds a few at a time."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

import pytest

from broker_actors import ActorSystem
from broker_actors.patterns import broadcast, each
from tests.acceptance.conftest import Deployment
from tests.acceptance.crowd import Agent, AgentRef, CensusRef
from tests.acceptance.processes import process

MANY: Final = 100_000
HELD: Final = 5_000
#: So many have come and gone before the process is first looked at: it is as large as it gets.
FIRST: Final = 2 * HELD
SAMPLED: Final = 1_000
PAGE: Final = 1_000
TOLD_AT_A_TIME: Final = 1_000
ASKED_AT_A_TIME: Final = 100
#: A full window, which may not have been there before, and some 400 bytes that are remembered of each actor
#: that has left, of 100,000 at the most. All live at once were 180 MB more.
GROWTH_BYTES_MAX: Final = 70_000_000
A_FEW: Final = 5
#: A guard: alone on two cores it takes a minute or two.
HANG_SECONDS: Final = 550.0


def agent(system: ActorSystem, n: int) -> AgentRef:
    return system.ref(AgentRef, f"agent-{n:06}").with_options(timeout=HANG_SECONDS)


async def told(system: ActorSystem, ids: range) -> None:
    """Tell each of the agents *ids* its number, which it has in common with a thousand others."""
    for at in range(ids.start, ids.stop, TOLD_AT_A_TIME):
        group = [agent(system, n) for n in range(at, at + TOLD_AT_A_TIME)]
        outcomes = await broadcast(group).tell(Agent.hear, number_of(at))
        assert len(outcomes.ok) == TOLD_AT_A_TIME


async def heard(system: ActorSystem, ids: Iterable[int]) -> None:
    """Ask the agents *ids* for what they have heard: each its number, once."""
    asked = await each(
        # Its ask comes after its tell.
        lambda n: agent(system, n).hear(0),
        ids,
        concurrency=ASKED_AT_A_TIME,
    )
    assert [(n, total) for n, total in asked.ok if total != number_of(n)] == []
    assert (asked.errors, asked.timeouts) == ([], [])


def number_of(n: int) -> int:
    return n // TOLD_AT_A_TIME + 1


async def listed(system: ActorSystem) -> int:
    """Return how many agents have ever run."""
    count, after = 0, ""
    while page := await system.backend.store.actors("Agent", after=after, limit=PAGE):
        count += len(page)
        after = page[-1].address.id
    return count


@pytest.mark.verify
@pytest.mark.alone
@pytest.mark.timeout(HANG_SECONDS + 60)
async def test_a_hundred_thousand_actors_are_served_by_a_worker_that_stays_as_it_is(
    real: Deployment, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_RESIDENTS_MAX", str(HELD))
    system = await real.system()
    census = system.ref(CensusRef, "here").with_options(timeout=HANG_SECONDS)
    async with asyncio.timeout(HANG_SECONDS), process(real, "worker", "tests.acceptance.crowd"):
        await told(system, range(FIRST))
        await heard(system, range(0, FIRST, FIRST // SAMPLED))
        before = await census.take()
        began_seconds = time.monotonic()
        await told(system, range(FIRST, MANY))
        told_seconds = time.monotonic() - began_seconds
        # Those told last: before them each mailbox has run, or holds, whatever else was told.
        await heard(system, range(MANY - SAMPLED, MANY))
        run_seconds = time.monotonic() - began_seconds
        await heard(system, range(0, MANY, MANY // SAMPLED))
        # The last of them may be about to end.
        while await listed(system) < MANY:
            pass
        after = await census.take()
        residents = [report.residents for _, report in await system.backend.members.everyone()]
    figures = {
        "agents told in a second": round((MANY - FIRST) / told_seconds),
        "agents told and run in a second": round((MANY - FIRST) / run_seconds),
        "live in the end": residents,
        "megabytes before and after": tuple(round(one["bytes"] / 1e6, 1) for one in (before, after)),
        "tasks before and after": (before["tasks"], after["tasks"]),
        "files and connections before and after": (before["files"], after["files"]),
    }
    for name, figure in figures.items():
        record_property(name, figure)
        sys.stdout.write(f"{name}: {figure}\n")
    assert after["bytes"] - before["bytes"] < GROWTH_BYTES_MAX
    assert abs(after["tasks"] - before["tasks"]) <= A_FEW
    assert abs(after["files"] - before["files"]) <= A_FEW
    # A report is some seconds old, and who is about to leave still counts.
    assert max(residents) <= HELD + ASKED_AT_A_TIME
