"""Suspending and resuming an actor from outside of its turns: for operators.

Both take the actor away from whoever has it, for a moment, so that nothing of a turn that
runs meanwhile counts without knowing of it; the next message takes it up again.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.turn import Committed
from broker_actors.ports.clock import Clock
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.parking import NEVER_MS, ParkingChange
from broker_actors.ports.store import Store
from broker_actors.ports.suspensions import SuspensionChange

#: A worker may take the actor up between the claim and the commit; not so often, however.
TRIES_MAX: Final = 10


async def suspend(store: Store, clock: Clock, address: Address, reason: str) -> Suspension:
    """Let *address* run nothing from now on; return its suspension, also when it was suspended before.

    What runs now is rolled back, and runs again once the actor is resumed.

    Raises:
        StoreUnavailableError: the store does not answer, or workers keep taking the actor up.

    """
    suspension = Suspension(Cause.OPERATOR, reason, clock.now_ms())
    for _ in range(TRIES_MAX):
        claim = await store.claim(address, clock.token())
        if claim.suspension is not None:
            return claim.suspension
        if await _commits(store, clock, claim, suspension):
            return suspension
    raise _contended(address)


async def resume(store: Store, clock: Clock, address: Address) -> Suspension | None:
    """Let *address* run again, what is parked first; return what ended, None if it was not suspended.

    Raises:
        StoreUnavailableError: the store does not answer, or workers keep taking the actor up.

    """
    for _ in range(TRIES_MAX):
        snapshot = await store.peek(address)
        if snapshot is None or snapshot.suspension is None:
            return None
        claim = await store.claim(address, clock.token())
        if claim.suspension is not None and await _commits(store, clock, claim, None):
            return claim.suspension
    raise _contended(address)


async def _commits(store: Store, clock: Clock, claim: Claim, suspension: Suspension | None) -> bool:
    # Whoever looks for parked actors finds one that runs again at once, and never a suspended one.
    due_ms = clock.now_ms() if suspension is None else NEVER_MS
    parking = ParkingChange(due_ms=due_ms)
    change = SuspensionChange(suspension)
    commit = Commit(claim, clock.token(), parking=parking, suspension=change)
    return isinstance(await store.commit(commit), Committed)


def _contended(address: Address) -> StoreUnavailableError:
    text = f"{address} was taken up by a worker {TRIES_MAX} times in between: try again"
    return StoreUnavailableError(text)
