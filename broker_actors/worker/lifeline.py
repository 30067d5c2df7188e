"""The line between a worker process and the parent that keeps it: one socket pair.

The child says over it that it is ready. When the parent ends its side, or is killed, the
child stops in order. It does not pass through signals, so a service manager that signals
every process of a service does not ask a child twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

READY: Final = b"r"


class Lifeline:
    """The child's end."""

    def __init__(self, descriptor: int) -> None:
        """Take the inherited *descriptor* over."""
        self._socket = socket.socket(fileno=descriptor)
        # It must end with this process, and not with a program that a method has started.
        self._socket.set_inheritable(False)

    def watch(self, on_end: Callable[[], None], stop_seconds: float) -> None:
        """Call *on_end* on the running loop when the parent wants this process to stop, or is gone.

        Args:
            on_end: asks for an orderly end.
            stop_seconds: what that may take; then the process is killed, as nobody else may be left to do it.

        """
        loop = asyncio.get_running_loop()

        def wait() -> None:
            # The parent sends nothing, so whatever comes is the end. It is an error if the
            # parent went before it had read that we are ready.
            with suppress(OSError):
                self._socket.recv(1)
            # A loop that is closed has stopped already.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(on_end)
            threading.Event().wait(stop_seconds)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=wait, name="broker-actors-lifeline", daemon=True).start()

    def ready(self) -> None:
        """Tell the parent that this process does its work."""
        try:
            self._socket.send(READY)
        except OSError:
            # The parent is gone, which the thread that watches will notice, too.
            return
