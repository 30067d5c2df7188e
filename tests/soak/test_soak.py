"""One minute of everything that can happen, and what the soak itself is made of."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.checker.verdict import Minimum
from tests.servers import RabbitServer, RedisServer
from tests.soak.faults import OF_CLUSTERS, Kind, draw
from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.sites import Site

KINDS = frozenset(Kind) - OF_CLUSTERS
#: A guard against hanging: what a minute takes on a machine with other things to do.
PATIENT = pytest.mark.timeout(115)


@PATIENT
async def test_a_minute_of_everything_breaks_no_promise(
    rabbit_server: RabbitServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    minimum = Minimum(tells=200, asks=20, fenced=1, faults=dict.fromkeys(KINDS, 1))
    plan = Plan(seed=20, load_seconds=28.0, gap_seconds=1.8, lines=3, kinds=KINDS, minimum=minimum)
    amqp_url = await asyncio.to_thread(rabbit_server.vhosts.create)
    site = Site((rabbit_server,), redis_server, amqp_url)
    report = await soak(plan, site, tmp_path, lambda text: print(text, file=sys.stderr))  # noqa: T201 - shown when it fails
    await asyncio.to_thread(rabbit_server.vhosts.delete, amqp_url)
    assert not report.violations, report.text()


def test_a_seed_says_what_happens_and_everything_does_before_anything_does_twice() -> None:
    faults = list(draw(7, 120.0, 2.0, KINDS))
    assert faults == list(draw(7, 120.0, 2.0, KINDS))
    assert faults != list(draw(8, 120.0, 2.0, KINDS))
    first = [fault.kind for fault in faults[: len(KINDS)]]
    assert Counter(first) == Counter(KINDS)
    assert all(one.at_seconds < other.at_seconds <= 120.0 for one, other in pairwise(faults))
