"""What the health endpoint of a parent says: what its processes say, all of them together."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from broker_actors.core.errors import PlatformError
from broker_actors.worker.child import Child, Plan
from broker_actors.worker.health import Answer
from broker_actors.worker.listening import ask

T = TypeVar("T")

#: How long a process may take to answer; below what those who ask us usually wait.
ASK_SECONDS: Final = 3.0
#: How long its dump may take.
DUMP_SECONDS: Final = 10.0
#: Processes that are asked at a time.
ASKED_MAX: Final = 16


class FamilyProbe:
    """Asks every process, when asked. Implements `health.Probe`."""

    def __init__(self, plan: Plan, children: Callable[[], dict[int, Child]]) -> None:
        self._plan = plan
        self._children = children

    def alive(self) -> Answer:
        """Return whether no process is blocked.

        One that starts, or is to be started again, is none: whoever restarts the parent for
        it would end its healthy siblings.
        """
        return self._all("alive")

    def ready(self) -> Answer:
        """Return whether every process does its work."""
        return self._all("ready")

    def dump(self) -> str:
        """Return what every process does now."""
        return "\n".join(self._each(self._dump_of))

    def _all(self, question: str) -> Answer:
        answers = self._each(lambda slot: self._ask(slot, question))
        return Answer(
            all(one.is_so for one in answers), tuple(text for one in answers for text in one.reasons)
        )

    def _each(self, ask_one: Callable[[int], T]) -> list[T]:
        with ThreadPoolExecutor(min(ASKED_MAX, self._plan.count)) as pool:
            return list(pool.map(ask_one, range(1, self._plan.count + 1)))

    def _ask(self, slot: int, question: str) -> Answer:
        child = self._children().get(slot)
        if child is None:
            return _absent(question, f"process {slot} does not run and is to be started again")
        if not child.is_ready:
            return _absent(question, f"process {slot} is starting")
        try:
            _status, text = ask(self._plan.place(slot), f"/{question}", ASK_SECONDS)
            found = json.loads(text)
            return Answer(bool(found[question]), tuple(f"process {slot}: {why}" for why in found["reasons"]))
        except (PlatformError, ValueError, LookupError, TypeError) as error:
            why = f"process {slot} (pid {child.pid}): {error}"
            if isinstance(error.__cause__, (ConnectionError, FileNotFoundError)):
                # Nobody listens there: it is ending or has died, and we have not heard of it yet.
                return _absent(question, why)
            return Answer(is_so=False, reasons=(why,))

    def _dump_of(self, slot: int) -> str:
        try:
            _status, text = ask(self._plan.place(slot), "/dump", DUMP_SECONDS)
        except PlatformError as error:
            return f"process {slot}: {error}\n"
        return f"process {slot}: {text}"


def _absent(question: str, why: str) -> Answer:
    """Return the answer for a process that is not there: nothing that a restart of all would mend."""
    return Answer(is_so=True) if question == "alive" else Answer(is_so=False, reasons=(why,))
