"""Append-only files of JSON lines, and what they are called.

Each process writes its own, one line at a time in one system call, so that what is in it
survives the process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: What senders called and learnt, and what workers were granted and answered.
CALLS: Final = "calls"
WITNESS: Final = "witness"


class Journal:
    """A file of this process."""

    def __init__(self, folder: Path, kind: str, name: str) -> None:
        self._file = os.open(folder / f"{kind}.{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *line: object) -> None:
        """Append *line*."""
        os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")


def read(folder: Path, kind: str) -> Iterator[list[object]]:
    """Yield the lines of all journals of a kind, each journal's in order."""
    for path in sorted(folder.glob(f"{kind}.*")):
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # the last one may be torn
                    yield json.loads(line)
