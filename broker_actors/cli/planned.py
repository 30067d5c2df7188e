"""What is planned: delayed tells and reminders, in one list by their time.

Invariant: looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker_actors.core.address import Address
from broker_actors.core.errors import PlatformError, UndecodableError
from broker_actors.core.reminders import id_of, name_in, unpack
from broker_actors.core.scheduled import Scheduled
from broker_actors.ports.schedules import SCHEDULED_LISTED_MAX
from broker_actors.ports.store import Store


@dataclass(frozen=True, slots=True)
class Planned:
    """Something that is to happen.

    Attributes:
        entry: what, for whom, when it is due.
        rhythm: of a reminder: when it ticks; empty for a delayed tell.
        missed: of a reminder: what becomes of ticks that could not be run in time.

    """

    entry: Scheduled
    rhythm: str = ""
    missed: str = ""


async def planned(store: Store, types: Sequence[str], limit: int) -> list[Planned]:
    """Return the first *limit* things planned for actors of *types*, by their time.

    Raises:
        StoreUnavailableError: no answer within the deadline.

    """
    found: list[Planned] = []
    for name in types:
        found += [Planned(entry) for entry in await store.schedules(name, limit=limit)]
        reminders = await store.all_reminders(name, limit=limit)
        found += [_reminder(address, reminder, data) for address, reminder, data in reminders]
    found.sort(key=lambda one: one.entry.due_ms)
    return found[:limit]


async def find(store: Store, schedule_id: str) -> Planned:
    """Return what has that id.

    Raises:
        PlatformError: nothing has; or the store does not answer.

    """
    wanted = Scheduled.parse(schedule_id)
    if name := name_in(wanted.key):
        data = await store.reminder(wanted.address, name)
        if data is not None:
            return _reminder(wanted.address, name, data)
    for entry in await store.schedules(wanted.address.type, limit=SCHEDULED_LISTED_MAX):
        if (entry.address, entry.key) == (wanted.address, wanted.key):
            return Planned(entry)
    text = f"nothing is planned by the id {schedule_id}: `broker-actors schedules list` shows what is"
    raise PlatformError(text)


def _reminder(address: Address, name: str, data: bytes) -> Planned:
    try:
        reminder = unpack(data)
    except UndecodableError:
        return Planned(Scheduled(address, id_of(name)), "of a later release", "")
    entry = Scheduled(address, id_of(name), reminder.method, reminder.due_ms)
    return Planned(entry, str(reminder.plan.rhythm), reminder.plan.missed)
