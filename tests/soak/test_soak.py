"""One minute of everything that can happen, and what the soak itself is made of."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.checker.verdict import Minimum
from tests.servers import RabbitServer, RedisServer, command
from tests.soak.faults import OF_CLUSTERS, Kind, draw
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.sites import Site, site_of

KINDS = frozenset(Kind) - OF_CLUSTERS
#: A guard against hanging, longer than the deadlines of the phases together: theirs say what hung.
PATIENT = pytest.mark.timeout(300)


@PATIENT
async def test_a_minute_of_everything_breaks_no_promise(
    rabbit_server: RabbitServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    # Whether a frozen worker has a turn to commit when it thaws is chance in so short a time; that such a
    # commit is refused has tests of its own, and `make soak` demands one.
    minimum = Minimum(tells=200, asks=20, faults=dict.fromkeys(KINDS, 1))
    plan = Plan(seed=20, load_seconds=28.0, gap_seconds=1.8, lines=3, kinds=KINDS, minimum=minimum)
    amqp_url = await asyncio.to_thread(rabbit_server.vhosts.create)
    site = Site((rabbit_server,), redis_server, amqp_url)
    report = await soak(plan, site, tmp_path, lambda text: print(text, file=sys.stderr))  # noqa: T201 - shown when it fails
    await asyncio.to_thread(rabbit_server.vhosts.delete, amqp_url)
    assert not report.violations, report.text()


@pytest.mark.verify
@pytest.mark.timeout(600)
async def test_a_broker_of_three_nodes_that_loses_one_after_the_other_breaks_no_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(command.RABBITMQ, raising=False)  # of others, only single nodes can be started
    kinds = frozenset({Kind.KILL_LEADER, Kind.KILL_BROKER, Kind.FREEZE_BROKER, Kind.CUT_BROKER})
    minimum = Minimum(tells=200, asks=20, faults=dict.fromkeys(kinds, 1))
    plan = Plan(seed=21, load_seconds=40.0, gap_seconds=4.0, kinds=kinds, minimum=minimum)
    with ExitStack() as stack:
        site = await asyncio.to_thread(site_of, stack, 3)
        report = await soak(plan, site, tmp_path, print)
    assert not report.violations, report.text()


def test_a_seed_says_what_happens_and_everything_does_before_anything_does_twice() -> None:
    faults = list(draw(7, 120.0, 2.0, KINDS))
    assert faults == list(draw(7, 120.0, 2.0, KINDS))
    assert faults != list(draw(8, 120.0, 2.0, KINDS))
    first = [fault.kind for fault in faults[: len(KINDS)]]
    assert Counter(first) == Counter(KINDS)
    assert all(one.at_seconds < other.at_seconds <= 120.0 for one, other in pairwise(faults))
