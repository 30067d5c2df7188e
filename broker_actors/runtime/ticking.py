"""The steps of a reminder's tick: the same turn as any other, that also winds its reminder.

Invariant: the first commit of the tick that a reminder waits for, whatever its outcome, makes the
reminder wait for a later one, which leaves with that commit. Any other tick is void.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core import turn as t
from broker_actors.core.errors import PlatformError, UndecodableError
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.reminders import Ticked, judge, unpack
from broker_actors.core.reply import of_result
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.clockwork import Wound, change_of
from broker_actors.runtime.context import TurnContext
from broker_actors.runtime.services import Services
from broker_actors.runtime.steps import Steps, TurnHost
from broker_actors.runtime.suspects import Trial

_VOID: Final = t.Duplicate(None)


class ReminderSteps(Steps):
    """One tick, as the spine sees it."""

    __slots__ = ("_stored", "_ticked")

    def __init__(
        self,
        trial: Trial,
        activation: Subject,
        services: Services,
        host: TurnHost,
        *,
        overflows: bool = False,
    ) -> None:
        super().__init__(trial, activation, services, host, overflows=overflows)
        #: What becomes of the reminder; None until that is known, and for what is tried again.
        self._ticked: Ticked | None = None
        #: The reminder as the store has it.
        self._stored = b""

    async def look_up(self) -> t.Event:
        """Ask whether this is the tick the reminder waits for, and whether its key has run."""
        envelope = self._arrival.envelope
        # What is tried again was the right one before.
        if envelope.attempt == 1:
            try:
                stored = await self._services.store.reminder(envelope.address, envelope.reminder)
            except PlatformError as error:
                return self._lost("look up of a reminder", error)
            try:
                reminder = None if stored is None else unpack(stored)
            except UndecodableError as error:
                # Of a later release: whoever can read it runs it.
                return self._lost("reading of a reminder", error)
            if stored is None or reminder is None or not reminder.awaits(envelope):
                return _VOID
            self._stored, self._ticked = stored, judge(reminder, self.now_ms())
        return await super().look_up()

    async def run(self, attempt: int) -> t.Event:
        """Run the method, unless the tick was missed."""
        if self._ticked is None or self._ticked.runs:
            return await super().run(attempt)
        if (parking := self._activation.parking) is not None:
            parking.runs(self._arrival)
        return t.Returned(of_result(None))

    def ack(self, outcome: str, turn: t.Turn) -> None:
        """End; what was missed says so."""
        missed = self._ticked is not None and not self._ticked.runs
        super().ack("missed" if missed and outcome == "ok" else outcome, turn)

    def _wound(self, context: TurnContext | None) -> Wound:
        wound = super()._wound(context)
        name = self._arrival.envelope.reminder
        # Kept: another run in the same turn commits only if this one did not.
        ticked = self._ticked
        if ticked is None or any(change.name == name for change in wound.changes):
            return wound
        change = change_of(name, ticked.after, self._stored)
        ticks: list[Outgoing] = []
        if ticked.after is not None:
            ticks.append(ticked.after.tick(self._activation.address, self.now_ms()))
        return Wound([*wound.changes, change], [*wound.ticks, *ticks])
