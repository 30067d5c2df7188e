"""Agents, of which there are many, and one who counts what their process holds, in a module for workers."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from broker_actors import Ref, actor, method


@actor
class Agent:
    """Remembers a number of its own."""

    heard: int = 0

    @method
    def hear(self, number: int) -> int:
        self.heard += number
        return self.heard


class AgentRef(Agent, Ref):
    """Typed handle."""


@actor(partitions=1)
class Census:
    """Counts, inside the process of the agents."""

    @method
    def take(self) -> dict[str, int]:
        """Return how many tasks, file descriptors and bytes the process has."""
        gc.collect()
        resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {
            "tasks": len(asyncio.all_tasks()),
            "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - its own descriptor is one of them
            "bytes": resident_pages * os.sysconf("SC_PAGESIZE"),
        }


class CensusRef(Census, Ref):
    """Typed handle."""
