"""Looking for actors for which messages wait in the store: suspended, held up, or very busy ones.

Invariant: looking changes nothing, and takes no actor from anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from broker_actors.core import parking
from broker_actors.core.address import Address
from broker_actors.core.diagnosis.standstill import Still
from broker_actors.core.errors import PayloadTooLargeError, UndecodableError
from broker_actors.core.parking import Parked
from broker_actors.ports.parking import NEVER_MS
from broker_actors.ports.store import Store

#: Actors that are read at a time, each with its state.
READS_MAX: Final = 16


async def standing_still(store: Store, actor_type: str) -> list[Still]:
    """Return the suspended actors of *actor_type* and those with something parked; at most 2,000.

    Raises:
        StoreUnavailableError: no answer within the deadline.

    """
    suspended = [address for address, _ in await store.suspended(actor_type)]
    parked = await store.parked(actor_type, due_before_ms=NEVER_MS + 1)
    room = asyncio.Semaphore(READS_MAX)

    async def read(address: Address) -> Still | None:
        async with room:
            return await _read(store, address)

    # Not a group of tasks: its error would be a group, too, and one of them is what there is to say.
    tasks = [asyncio.ensure_future(read(address)) for address in dict.fromkeys((*suspended, *parked))]
    try:
        return [one for one in await asyncio.gather(*tasks) if one is not None]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def read_parked(entries: Sequence[bytes]) -> list[Parked | None]:
    """Return what *entries* of a parking say, None for those of another release, or broken ones."""
    return [_unpacked(entry) for entry in entries]


async def _read(store: Store, address: Address) -> Still | None:
    snapshot = await store.peek(address)
    if snapshot is None:
        return None
    heads = read_parked(await store.parking(address, limit=1)) if snapshot.parked.entries else []
    entries, suspension = snapshot.parked.entries, snapshot.suspension
    if not entries and suspension is None:
        # It goes on, since it was found.
        return None
    if not heads or (head := heads[0]) is None:
        return Still(address, entries, suspension)
    return Still(address, entries, suspension, head.envelope.method, head.envelope.attempt)


def _unpacked(entry: bytes) -> Parked | None:
    try:
        return parking.unpack(entry)
    except (UndecodableError, PayloadTooLargeError):
        return None
