"""One program in the foreground, in a process group of its own."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.reaper import reaper

_READY_SECONDS = 50
_READY_INTERVAL_SECONDS = 0.02
_STOP_SECONDS = 30
_LOG_LINES = 30


class ServerError(Exception):
    """A server did not do what a test needs; the message ends with its log."""


class Process:
    """A running server process with its children."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._name = Path(command[0]).name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._group = self._process.pid
        reaper().watch("group", self._group)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, by itself or by us."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def wait_ready(self, is_ready: Callable[[], bool]) -> None:
        """Wait until *is_ready*, or end it.

        Raises:
            ServerError: it ended, or took too long.
        """
        for _ in range(int(_READY_SECONDS / _READY_INTERVAL_SECONDS)):
            if is_ready() and self.is_running:
                return
            try:
                self._process.wait(_READY_INTERVAL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            self.kill()
            message = f"{self._name} ended with code {self._process.returncode}:\n{self.log_tail()}"
            raise ServerError(message)
        self.kill()
        message = f"{self._name} was not ready after {_READY_SECONDS} s:\n{self.log_tail()}"
        raise ServerError(message)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, even those whose parent is gone."""
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        self._process.wait()
        reaper().forget("group", self._group)

    def terminate(self) -> None:
        """Ask it to end and wait until it did.

        Raises:
            ServerError: it took too long; it was killed.
        """
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            message = f"{self._name} did not stop within {_STOP_SECONDS} s:\n{self.log_tail()}"
            raise ServerError(message) from error
        finally:
            self.kill()

    def log_tail(self) -> str:
        """Return the last lines it printed."""
        return tail(self._log)


def tail(log: Path) -> str:
    """Return the last lines of *log*."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
