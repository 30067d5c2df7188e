"""Signals to one other end that do not hold up whoever has something to signal.

Invariants: one signal is under way at a time; what is asked for meanwhile is one more after it,
for a signal only says "look again", and whoever looks sees all there is.
"""

from __future__ import annotations

import asyncio

from broker_actors.ports.control import Control, Listener


class Waking:
    """Wakes whoever waits at the other end."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._wanted: Listener | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self, listener: Listener) -> None:
        """Signal *listener*, soon."""
        self._wanted = listener
        if self._task is None:
            self._task = asyncio.create_task(self._signal(), name=f"signal to {listener.channel}")
            self._task.add_done_callback(self._ended)

    async def settle(self) -> None:
        """Return when nothing is left to signal. Cancelled, it signals nothing more.

        Raises:
            Exception: what a signal raised, which is not to raise.

        """
        while (task := self._task) is not None:
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
            if not task.cancelled():
                task.result()

    async def _signal(self) -> None:
        while (listener := self._wanted) is not None:
            self._wanted = None
            await self._control.signal(listener)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._task = None
            # Asked for between its last look and its end.
            if self._wanted is not None and not task.cancelled():
                self.wake(self._wanted)
