"""Counts the function calls that the package makes.

Counted is a call of a function of ours, and a call that a function of ours makes of anything
else, in Python or C. What happens below that (the event loop, the drivers) is not: it would tie the
numbers to their releases, and to how the servers' answers happen to be cut into pieces. Nor is
the embedded broker and store: it stands for servers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Final, Self

import broker_actors

_OURS: Final = str(Path(broker_actors.__file__).parent)
_SERVERS: Final = str(Path(_OURS, "adapters", "memory"))


class Calls:
    """A context manager; `count` is what this thread called inside of it."""

    def __init__(self) -> None:
        self.count = 0
        self._ours: dict[CodeType, bool] = {}

    def __enter__(self) -> Self:
        """Begin to count."""
        sys.setprofile(self._note)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End counting."""
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "c_call":
            self.count += self._is_ours(frame)
        elif event == "call":
            caller = frame.f_back
            self.count += self._is_ours(frame) or (caller is not None and self._is_ours(caller))

    def _is_ours(self, frame: FrameType) -> bool:
        code = frame.f_code
        found = self._ours.get(code)
        if found is None:
            name = code.co_filename
            found = self._ours[code] = name.startswith(_OURS) and not name.startswith(_SERVERS)
        return found
