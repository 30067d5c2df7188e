"""Ends servers whose test run died.

A small process of its own waits on a pipe that only the test run holds. The kernel closes the pipe
however the run ends, also by SIGKILL; the reaper then kills the process groups and removes the
folders that were not handed back. A death signal (PR_SET_PDEATHSIG) would reach one process only,
is bound to the thread that started it, and exists on Linux alone.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Literal, TextIO

Kind = Literal["group", "folder"]

_REMOVALS_MAX = 100
_REMOVAL_INTERVAL_SECONDS = 0.05


class Reaper:
    """This process's line to its reaper."""

    def __init__(self) -> None:
        # Isolated (-I) and without site (-S): starts in 20 ms and imports nothing from this folder.
        # In a session of its own, so that Ctrl-C in the terminal reaches the tests first.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        atexit.register(self._close)

    def watch(self, kind: Kind, name: object) -> None:
        """End *name* when this process ends."""
        self._tell("+", kind, name)

    def forget(self, kind: Kind, name: object) -> None:
        """*name* was ended."""
        self._tell("-", kind, name)

    def _tell(self, sign: str, kind: Kind, name: object) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        # One unbuffered write of a short line is atomic on a pipe, so threads need no lock.
        pipe.write(f"{sign}\t{kind}\t{name}\n".encode())

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def reaper() -> Reaper:
    """Return the one reaper of this process."""
    return Reaper()


def _reap(reports: TextIO) -> None:
    watched: dict[tuple[str, str], None] = {}
    for report in reports:
        sign, kind, name = report.rstrip("\n").split("\t")
        if sign == "+":
            watched[kind, name] = None
        else:
            watched.pop((kind, name), None)
    # Groups first: a server that still writes would make its folder anew.
    for kind, name in sorted(watched, reverse=True):
        if kind == "group":
            _kill_group(int(name))
        else:
            remove(Path(name))


def remove(folder: Path) -> None:
    """Remove *folder*, into which a server that was just killed may still write."""
    for _ in range(_REMOVALS_MAX):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_REMOVAL_INTERVAL_SECONDS)  # noqa: TID251 - another process's end sends no event


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    _reap(sys.stdin)
