"""The lanes of parallel batches: actors of the flow's own type that work on one item at a time.

Invariant: of each item a lane was given comes a report of how it ended, also if the item was stopped, and
also if nothing is left of it but the wish to stop it. The flow takes the first and ignores others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from broker_actors.actor.method import method
from broker_actors.actor.turn import turn
from broker_actors.actor.untyped import UntypedRef
from broker_actors.core.errors import InvalidArgumentsError, PayloadTooLargeError
from broker_actors.flow.durable import visiting
from broker_actors.flow.durable.fans import LANE
from broker_actors.flow.durable.interrupts import InterruptedRunError, Interrupts
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Ended, Item, Report, Status
from broker_actors.flow.durable.standstill import AnotherReleaseError, pause_seconds
from broker_actors.flow.durable.visiting import Again

#: Of an error that is kept.
ERROR_CHARACTERS_MAX: Final = 2_000


class Lane:
    """What an actor does as a lane.

    Attributes:
        item: what it works on between two attempts.

    """

    _plan: ClassVar[Plan]

    item: Item | None

    def __init__(self) -> None:
        self.item = None
        self._interrupts = Interrupts()

    @method
    async def work(self, item: Item) -> None:
        """Work on an item of a batch, and report to the flow."""
        self.item = item
        await self._work(item)

    @method
    async def work_again(self, step: int, index: int, looks: int = 0) -> None:
        """Try the item again, if it was not stopped meanwhile; *looks* were in vain so far."""
        if self.item is not None and (self.item.step, self.item.index) == (step, index):
            await self._work(self.item, looks)

    @method.options(interleave=True)
    async def stop_item(self, step: int, index: int) -> None:
        """Stop the item, also if it runs just now."""
        await self._me().end_item.tell(step, index)
        self._interrupts.stop(Status.CANCELLED, "")

    @method
    async def end_item(self, step: int, index: int) -> None:
        """Report that the item was stopped. If it had ended before, so does an earlier report."""
        self.item = None
        await self._report(Report(step, index, turn.current().actor_id, Ended.STOPPED))

    async def _work(self, item: Item, looks: int = 0) -> None:
        report = Report(item.step, item.index, turn.current().actor_id, Ended.DONE)
        try:
            with turn.current().all_or_nothing():
                value = await self._interrupts.guard(visiting.work(self._plan, item))
        except InterruptedRunError:
            report.ended = Ended.STOPPED
        except AnotherReleaseError as error:
            # It is for a deploy to mend, as in the flow itself, and no failure of the item.
            await self._report(replace(report, ended=Ended.HELD_UP, error=str(error)[:ERROR_CHARACTERS_MAX]))
            await self._me().work_again.tell_after(pause_seconds(looks), item.step, item.index, looks + 1)
            return
        except Exception as error:  # noqa: BLE001 - whatever an item raises ends its batch
            report.ended, report.error = Ended.FAILED, text_of(_name(item), error)
        else:
            if isinstance(value, Again):
                self.item = replace(item, attempt=item.attempt + 1)
                await self._me().work_again.tell_after(value.after_seconds, item.step, item.index)
                return
            report.value = value
        self.item = None
        try:
            await self._report(report)
        except (InvalidArgumentsError, PayloadTooLargeError) as error:
            problem = text_of(_name(item), error)
            await self._report(replace(report, ended=Ended.FAILED, value=None, error=problem))

    async def _report(self, report: Report) -> None:
        await self._at(turn.current().actor_id.rpartition(LANE)[0]).reported.tell(report)

    def _me(self) -> UntypedRef:
        return self._at(turn.current().actor_id)

    def _at(self, actor_id: str) -> UntypedRef:
        return turn.current().ref(turn.current().address.type, actor_id)


def text_of(where: str, error: Exception) -> str:
    """Return what is kept of *error*, which happened at *where*."""
    return f"{where}: {type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]


def _name(item: Item) -> str:
    return f"{item.node} item {item.index}"
