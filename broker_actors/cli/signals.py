"""What a daemon does when it is signalled.

Handlers run between two bytecodes of the main thread, so also while a method blocks the
event loop; only a call into C that does not return keeps them waiting.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: What asks a daemon to stop: service managers send the first, Ctrl-C the second.
STOP: Final = (signal.SIGTERM, signal.SIGINT)


def _nothing() -> None:
    """Do nothing."""


def _no(_number: signal.Signals) -> bool:
    return False


@contextmanager
def on_stop_signals(
    stop: Callable[[], None],
    at_once: Callable[[], None] = _nothing,
    *,
    instead: Callable[[signal.Signals], bool] = _no,
) -> Generator[None]:
    """Call *stop* on the loop at the first request to stop; at the second end the process.

    Args:
        stop: begins an orderly end.
        at_once: is called before the process ends of the second signal.
        instead: is asked first, on the loop: whether it did something else about a signal, which then is
            no request to stop.

    """
    loop = asyncio.get_running_loop()
    was_asked = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal was_asked
        if was_asked:
            # Whoever asks twice does not want to wait: what Python did before.
            at_once()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        was_asked = True

    def tell(number: signal.Signals) -> None:
        nonlocal was_asked
        if instead(number):
            was_asked = False
        else:
            stop()

    for number in STOP:
        # The loop is woken and calls `tell`, unless it is blocked; that there was a signal is noted anyhow.
        loop.add_signal_handler(number, tell, number)
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in STOP:
            loop.remove_signal_handler(number)


@contextmanager
def on_dump_signal(show: Callable[[FrameType | None], None]) -> Generator[None]:
    """Call *show* at SIGUSR1, with the frame that was interrupted.

    A thread that waits for the signal would also see a loop that is blocked inside C, but
    needs the signal blocked in every thread, which every program a method starts would inherit.
    """
    if threading.current_thread() is not threading.main_thread():
        # Somebody runs the command in a thread of theirs, who then owns the signals.
        yield
        return
    before = signal.signal(signal.SIGUSR1, lambda _number, frame: show(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
