"""Tells every few seconds how far a soak has come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.soak.doing import Say
from tests.soak.journal import CALLS, WITNESS

EVERY_SECONDS: Final = 5.0


class Progress:
    """Counts what is in the journals of *folder*, each byte once."""

    def __init__(self, folder: Path, done: Counter[str], say: Say) -> None:
        self._folder = folder
        self._done = done
        self._say = say
        self._offsets: Counter[Path] = Counter()
        self._counts: Counter[str] = Counter()

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell as long as it lasts."""
        telling = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait((telling,))

    async def _tell(self) -> None:
        before = 0
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self._count()
            ended = self._counts["ended"]
            rate = (ended - before) / EVERY_SECONDS
            before = ended
            self._say(
                f"{ended} calls ended ({rate:.0f}/s, {self._counts['unknown']} unknown), "
                f"{self._counts['commits']} commits, {self._counts['fenced']} fenced, "
                f"{self._done.total()} faults"
            )

    def _count(self) -> None:
        marks = {
            "ended": b'["ended"',
            "unknown": b'"unknown"',
            "commits": b'["commit"',
            "fenced": b",true]\n",
        }
        kinds = {CALLS: ("ended", "unknown"), WITNESS: ("commits", "fenced")}
        for kind, names in kinds.items():
            for path in self._folder.glob(f"{kind}.*"):
                with path.open("rb") as journal:
                    journal.seek(self._offsets[path])
                    new = journal.read()
                whole = new[: new.rfind(b"\n") + 1]
                self._offsets[path] += len(whole)
                for name in names:
                    self._counts[name] += whole.count(marks[name])
