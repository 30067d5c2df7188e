"""Kills this process at one named spot, and leaves word of it.

A spot is a call, and whether the process dies before or after it. Invariant: the mark is
written before the signal is sent, so a process that died of anything else left none.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final

#: Of a process that may be killed: `<call> | <phase> | <n-th time>`.
SPOT: Final = "CRASH_SPOT"
#: Where marks are left.
FOLDER: Final = "CRASH_FOLDER"


def mark(name: str) -> None:
    """Leave word for the test that this process got as far as *name*."""
    (Path(os.environ[FOLDER]) / name).touch()


class Fuse:
    """Counts how often each spot was reached; at the one in the environment the process ends."""

    def __init__(self) -> None:
        self._spot = os.environ.get(SPOT, "")
        self._reached = Counter[str]()

    def is_for(self, call: str, phase: str) -> bool:
        """Return whether the process is to die at *phase* of *call*, this time or another."""
        return self._spot.startswith(f"{call} | {phase} | ")

    def reach(self, call: str, phase: str) -> None:
        """Die if this is the spot."""
        place = f"{call} | {phase}"
        self._reached[place] += 1
        if f"{place} | {self._reached[place]}" == self._spot:
            die(self._spot)


def die(spot: str) -> None:
    """Write that *spot* was reached, then end like a process that ran out of memory."""
    (Path(os.environ[FOLDER]) / "died").write_text(spot)
    os.kill(os.getpid(), signal.SIGKILL)
