"""A measuring process: `python -m tests.benchmarks.child SIDE WORK`, its job on its input."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from tests.benchmarks.job import Job
from tests.benchmarks.measuring import Signals

Work: TypeAlias = Callable[[Job, Signals], Awaitable[None]]

#: Where the code of each side is. Imported by need, so that a side pays for its own imports only.
MODULES: Final = {
    "broker_actors": "tests.benchmarks.ours",
    "streams": "tests.benchmarks.ours_streams",
    "crowd": "tests.benchmarks.ours_crowd",
    "heavy": "tests.benchmarks.ours_heavy",
    "raw heavy": "tests.benchmarks.raw_heavy",
    "embedded": "tests.benchmarks.ours_embedded",
    "limits": "tests.benchmarks.limits",
    "limits committed": "tests.benchmarks.limits_committed",
    "aio-pika": "tests.benchmarks.raw_aio_pika",
    "aiormq": "tests.benchmarks.raw_aiormq",
    "bare": "tests.benchmarks.bare",
    "Dramatiq": "tests.benchmarks.peers.dramatiq",
    "Celery": "tests.benchmarks.peers.celery",
    "Taskiq": "tests.benchmarks.peers.taskiq",
    "FastStream": "tests.benchmarks.peers.faststream",
}


def main(side: str, work: str) -> None:
    """Do one side's part of one measurement."""
    logging.disable(logging.CRITICAL)
    job = Job(**json.loads(sys.stdin.readline()))
    do: Work = getattr(importlib.import_module(MODULES[side]), work)
    asyncio.run(_do(do, job))


async def _do(work: Work, job: Job) -> None:
    await work(job, Signals())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
