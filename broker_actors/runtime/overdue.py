"""Reminders whose tick was lost by the broker: their ticks are sent again.

A tick is sent by the turn of the one before, and then by nobody; with its queue purged, or a broker
that was restored from a backup, the reminder would be silent for ever. The store knows when it
was due. Invariant: who sends it again changes nothing else, so that a tick that was not lost after all
is void, or the second one is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker_actors.core.errors import PlatformError, UndecodableError
from broker_actors.core.events import Trouble
from broker_actors.core.overdue import GRACE_MS, is_sent_again
from broker_actors.core.reminders import unpack
from broker_actors.dispatch import Dispatch
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.reminders import Reminders

#: From one look to the next: it costs a read of the store's indexes, and is needed hardly ever.
LOOK_SECONDS: Final = 60.0
#: Reminders of one type sent again by one look, those overdue longest.
AT_ONCE_MAX: Final = 1_000


class Overdue:
    """Looks for overdue reminders of the actors one worker owns."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: Reminders,
        clock: Clock,
        observer: Observer,
        owns: Callable[[str], bool],
    ) -> None:
        self._dispatch = dispatch
        self._store = store
        self._clock = clock
        self._observer = observer
        self._owns = owns
        #: When the last look at a type was, on the monotonic clock.
        self._looked_seconds: dict[str, float] = {}

    async def look(self, actor_type: str, *, grace_ms: int = GRACE_MS) -> None:
        """Send the ticks of *actor_type* again that are overdue; what fails is observed."""
        now_seconds = self._clock.monotonic_seconds()
        looked_seconds = self._looked_seconds.get(actor_type)
        looked_ms = None if looked_seconds is None else round((now_seconds - looked_seconds) * 1000)
        try:
            await self._send_again(actor_type, looked_ms, grace_ms)
        except PlatformError as error:
            self._observer.observe(Trouble(f"look for overdue reminders of {actor_type}", str(error)))
        else:
            self._looked_seconds[actor_type] = now_seconds

    async def _send_again(self, actor_type: str, looked_ms: int | None, grace_ms: int) -> None:
        now_ms = self._clock.now_ms()
        layout = await self._dispatch.layout(actor_type)
        found = await self._store.all_reminders(
            actor_type, limit=AT_ONCE_MAX, due_before_ms=now_ms - grace_ms + 1
        )
        for address, name, data in found:
            try:
                reminder = unpack(data)
            except UndecodableError:
                # Of a later release, whose workers look after it.
                continue
            overdue_ms = now_ms - reminder.due_ms
            if self._owns(layout.mailbox_of(address.id)) and is_sent_again(overdue_ms, looked_ms, grace_ms):
                await self._dispatch.send(reminder.tick(address, now_ms))
                text = f"{name!r} is {overdue_ms // 1000} s overdue: its tick, late or lost, was sent again"
                self._observer.observe(Trouble(f"overdue reminder of {address}", text))
