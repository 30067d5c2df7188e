"""An actor whose methods run off the loop, in a module another process can import."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

from broker_actors import BusinessError, Ref, Retry, actor, method


@actor(partitions=1, retry=Retry(attempts=2, min_backoff=0.01, max_backoff=0.01))
class Cruncher:
    """Computes in processes and blocks in threads."""

    factor: int = 3
    seen: list[int]

    def __init__(self) -> None:
        self.seen = []

    async def activate(self) -> None:
        self._name = "made here"

    @method
    def set_factor(self, factor: int) -> None:
        self.factor = factor

    @method
    def get(self) -> tuple[int, list[int]]:
        return self.factor, self.seen

    @method.options(run_in="process")
    def multiply(self, n: int) -> int:
        return self.factor * n

    @method.options(run_in="process")
    def where(self) -> int:
        return os.getpid()

    @method.options(run_in="process")
    def refuse(self) -> None:
        raise BusinessError("no", "not today", {"day": 1})

    @method.options(run_in="process")
    def fail(self) -> None:
        raise KeyError("lost")

    @method.options(run_in="process")
    def set_in_process(self) -> None:
        self.factor = 9

    @method.options(run_in="process")
    def append_in_process(self) -> None:
        self.seen.append(9)

    @method.options(run_in="process")
    def return_what_cannot_be_sent(self) -> object:
        return object()

    @method.options(run_in="process")
    def die_once(self, mark: str) -> str:
        if not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    @method.options(run_in="process")
    def spin(self, mark: str) -> None:
        Path(mark).write_text(str(os.getpid()))
        # Backtracks for ever inside of one C function: no other thread of the process gets a turn.
        re.match(r"(a+)+$", "a" * 64 + "b")

    @method.options(run_in="process")
    def spin_once(self, mark: str) -> int:
        if not Path(mark).exists():
            Path(mark).write_text(str(os.getpid()))
            re.match(r"(a+)+$", "a" * 64 + "b")
        return self.factor

    @method.options(run_in="thread")
    def thread(self) -> tuple[str, str]:
        return threading.current_thread().name, self._name

    @method.options(run_in="thread")
    def set_in_thread(self) -> None:
        self.factor = 9

    @method.options(run_in="thread")
    def append_in_thread(self) -> None:
        self.seen.append(9)

    @method.options(run_in="thread")
    def block(self, n: int) -> int:
        BLOCKED.add(n)
        OPEN.wait()
        return n

    @method.options(run_in="thread", interleave=True)
    def block_beside(self, n: int) -> int:
        BLOCKED.add(n)
        OPEN.wait()
        return n


class CruncherRef(Cruncher, Ref):
    """Typed handle."""


#: What threads of the test's own process wait for, and who does.
OPEN = threading.Event()
BLOCKED: set[int] = set()
