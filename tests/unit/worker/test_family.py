"""What a parent says about its processes, with endpoints of theirs in this process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_actors.worker import family as module
from broker_actors.worker.child import Child, Plan
from broker_actors.worker.family import FamilyProbe
from broker_actors.worker.health import Answer, HealthServer

READS_LINE = (
    "import socket, sys; socket.socket(fileno=int(sys.argv[sys.argv.index('--lifeline') + 1])).recv(1)"
)


class Fine:
    """The probe of a process that is well."""

    def alive(self) -> Answer:
        return Answer(is_so=True)

    def ready(self) -> Answer:
        return Answer(is_so=True)

    def dump(self) -> str:
        return "fine"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan([sys.executable, "-S", "-c", READS_LINE], os.environ, tmp_path, 2, 30)


@pytest.fixture
async def children(plan: Plan) -> AsyncIterator[dict[int, Child]]:
    """Two processes that have said that they are ready, of which the first is well."""
    found = {slot: await Child.start(plan, slot) for slot in (1, 2)}
    for child in found.values():
        child.is_ready = True
    with HealthServer(Fine(), plan.place(1)):
        yield found
    for child in found.values():
        await child.stop(plan.stop_seconds)


async def say(probe: FamilyProbe) -> tuple[Answer, Answer]:
    return await asyncio.to_thread(probe.alive), await asyncio.to_thread(probe.ready)


async def test_a_family_whose_process_is_to_be_started_again_is_alive_and_not_ready(
    plan: Plan, children: dict[int, Child]
) -> None:
    alive, ready = await say(FamilyProbe(plan, lambda: {1: children[1]}))
    assert alive == Answer(is_so=True)
    assert ready == Answer(is_so=False, reasons=("process 2 does not run and is to be started again",))


async def test_a_family_that_waits_for_a_change_of_its_code_is_alive_and_not_ready(plan: Plan) -> None:
    alive, ready = await say(FamilyProbe(plan, dict))
    assert alive == Answer(is_so=True)
    assert len(ready.reasons) == 2


async def test_a_family_whose_process_starts_is_alive_and_not_ready(
    plan: Plan, children: dict[int, Child]
) -> None:
    children[2].is_ready = False
    alive, ready = await say(FamilyProbe(plan, lambda: children))
    assert alive == Answer(is_so=True)
    assert ready == Answer(is_so=False, reasons=("process 2 is starting",))


@pytest.mark.parametrize("left", [True, False], ids=["killed", "ended"])
async def test_a_death_the_parent_has_not_heard_of_yet_is_no_block(
    plan: Plan, children: dict[int, Child], *, left: bool
) -> None:
    if left:
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(plan.place(2)))
    alive, ready = await say(FamilyProbe(plan, lambda: children))
    assert alive == Answer(is_so=True)
    (reason,) = ready.reasons
    assert reason.startswith(f"process 2 (pid {children[2].pid}): no answer at ")


async def test_a_process_that_listens_and_does_not_answer_is_not_alive(
    plan: Plan, children: dict[int, Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(plan.place(2)))
        silent.listen()
        alive = await asyncio.to_thread(FamilyProbe(plan, lambda: {2: children[2]}).alive)
    assert not alive.is_so
    assert f"(pid {children[2].pid}): no answer" in alive.reasons[0]
