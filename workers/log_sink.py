"""A sink for tells: lines of one source, appended to one file. `broker-actors worker workers.log_sink`.

A turn may run twice: its worker can die between the file, which no store rolls back, and the
commit. So the state holds how much of the file counts, and a line is written *there*, not "at
the end": the second run writes the same bytes to the same place. Invariant: the first
`size_bytes` bytes of the file are the lines of all committed turns, in order.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from broker_actors import BusinessError, Ref, Retry, SystemFaultError, actor, method, turn

#: Waits below a second happen in place, so a full disk delays the later lines and does not reorder them.
IN_PLACE: Final = Retry(attempts=6, min_backoff=0.1, max_backoff=0.9)
#: How much of the file `tail` looks at.
TAIL_BYTES_MAX: Final = 64 * 1024
#: An id becomes the name of a file, and anybody may choose one.
SOURCE: Final = re.compile(r"\w[\w.-]{0,99}", re.ASCII)


@actor(delivery="effectively_once", retry=IN_PLACE)
class LogSink:
    """The log of one source; its id names the source and the file."""

    size_bytes: int = 0

    async def activate(self) -> None:
        """Cut off what a turn wrote that never committed."""
        await asyncio.to_thread(_cut, _file(), self.size_bytes)

    @method
    async def append(self, *lines: str) -> None:
        """Append *lines*, on disk when the turn commits.

        Raises:
            BusinessError: `not_a_line`, or `bad_source`.

        """
        if any("\n" in line for line in lines):
            raise BusinessError("not_a_line", "one of the lines has a line break in it")
        data = "".join(f"{line}\n" for line in lines).encode()
        await asyncio.to_thread(_write, _file(), self.size_bytes, data)
        self.size_bytes += len(data)

    @method
    async def tail(self, count: int = 10) -> list[str]:
        """Return the last *count* lines, as far as 64 KiB hold them."""
        return (await asyncio.to_thread(_read, _file(), self.size_bytes))[-count:]


class LogSinkRef(LogSink, Ref):
    """A typed handle on the log of a source."""


def _file() -> Path:
    source = turn.current().actor_id
    if SOURCE.fullmatch(source) is None:
        raise BusinessError("bad_source", f"{source!r} cannot be a file: use letters, digits and _.-")
    return Path(os.environ.get("LOG_SINK_DIRECTORY", "logs")) / f"{source}.log"


def _cut(file: Path, size_bytes: int) -> None:
    found_bytes = file.stat().st_size if file.exists() else 0
    if found_bytes < size_bytes:
        text = (
            f"{file} has {found_bytes} bytes of {size_bytes}: is it on another machine, or was it shortened?"
        )
        raise SystemFaultError(text, recoverable=False)
    if found_bytes > size_bytes:
        os.truncate(file, size_bytes)


def _write(file: Path, offset_bytes: int, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with file.open("r+b") as writing:
        writing.seek(offset_bytes)
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())  # before the commit, or the state would know of bytes the disk does not


def _read(file: Path, size_bytes: int) -> list[str]:
    if size_bytes == 0:
        return []
    with file.open("rb") as reading:
        start_bytes = max(0, size_bytes - TAIL_BYTES_MAX)
        reading.seek(start_bytes)
        lines = reading.read(size_bytes - start_bytes).decode(errors="replace").split("\n")[:-1]
    return lines[1:] if start_bytes else lines  # the first one is a piece
