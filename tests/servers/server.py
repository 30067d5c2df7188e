"""What private servers have in common."""

import os
import re
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.polling import until
from tests.servers.ports import free_port, is_open
from tests.servers.process import Process, ServerError, tail
from tests.servers.reaper import reaper, remove

_STARTS_MAX = 3
_GONE_SECONDS = 10
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
_MEMORY_BYTES_MIN = 2**30
_PORT_TAKEN = re.compile("address already in use|eaddrinuse|could not bind", re.IGNORECASE)


class Server(ABC):
    """A server of our own: its ports, its data, its processes.

    As a context manager it runs from enter to exit. Its data outlive kill, stop and restart, and go
    with close.

    Args:
        in_memory: keep the data in memory if the machine has room there. A kill loses as little as
            on disk, and many small synced writes are several times faster on a busy disk.
    """

    port: int

    def __init__(self, *, in_memory: bool = False) -> None:
        parent = _MEMORY if in_memory and _has_room(_MEMORY) else None
        self.folder = Path(tempfile.mkdtemp(prefix="broker-actors-", dir=parent))
        reaper().watch("folder", self.folder)
        self._log = self.folder / "server.log"
        self._process: Process | None = None
        self._is_frozen = False
        #: How often its program was started.
        self.launches = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the program that runs it in the foreground on `port`."""

    @abstractmethod
    def _environment(self) -> dict[str, str]:
        """Return the environment of the program."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tell whether it answers its clients."""

    @property
    def is_running(self) -> bool:
        """Whether its process lives, be it frozen."""
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Start it on free ports and wait until it answers.

        Raises:
            ServerError: it ended or did not answer.
        """
        for attempt in range(1, _STARTS_MAX + 1):
            self.port = free_port()
            try:
                self._launch()
            except ServerError as error:
                if attempt == _STARTS_MAX or not _PORT_TAKEN.search(str(error)):
                    raise
            else:
                return

    def restart(self) -> None:
        """Start it again on the same port and data, after an orderly stop if it runs.

        Raises:
            ServerError: it did not stop, ended or did not answer.
        """
        self.stop()
        self._launch()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end()

    def stop(self) -> None:
        """End it in an orderly way.

        Raises:
            ServerError: it did not stop; it was killed.
        """
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._gone()

    def freeze(self) -> None:
        """Hold all its processes: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        """Let its processes go on."""
        if self._process is not None and self._is_frozen:
            self._process.signal(signal.SIGCONT)
        self._is_frozen = False

    def repair(self) -> None:
        """Bring it back from whatever a test did to it."""
        self.thaw()
        if not self.is_running:
            self._end()
            self._launch()

    def log_tail(self) -> str:
        """Return the last lines it printed since its last start."""
        return tail(self._log) if self._log.exists() else ""

    def close(self) -> None:
        """End it and remove its data."""
        self._end()
        remove(self.folder)
        reaper().forget("folder", self.folder)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _launch(self) -> None:
        self._is_frozen = False
        self.launches += 1
        # A log of its own per start: an earlier one must not explain why this one failed.
        self._log.unlink(missing_ok=True)
        self._process = Process(self._command(), self._environment(), self.folder, self._log)
        self._process.wait_ready(self._is_ready)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._gone()

    def _gone(self) -> None:
        self._process = None
        self._is_frozen = False
        # The process we started may be a shell around the server, so its end alone does not free the port.
        until(lambda: not is_open(self.port), f"closing port {self.port}", _GONE_SECONDS)


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _MEMORY_BYTES_MIN
