"""Ends a suspension whose cause is gone: a state that nobody could read, and this worker can.

Invariant: only that cause ends by itself. An actor that failed too often, or that an
operator has suspended, is resumed by somebody who says so.
"""

from __future__ import annotations

from dataclasses import replace

from broker_actors.actor.spec import ActorSpec
from broker_actors.core.events import ActorResumed
from broker_actors.core.suspending import due_ms
from broker_actors.core.suspension import Cause
from broker_actors.core.turn import Committed
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.parking import NEVER_MS, ParkingChange
from broker_actors.ports.suspensions import SuspensionChange
from broker_actors.runtime.services import Services


async def lifted(claim: Claim, spec: ActorSpec, services: Services) -> Claim:
    """Return *claim* without its suspension, if that was because of a state that *spec* can read.

    Raises:
        StoreUnavailableError: no answer within the deadline; it may have happened.

    """
    suspension, clock = claim.suspension, services.clock
    if suspension is None or suspension.cause != Cause.STATE_UNDECODABLE:
        return claim
    now_ms = clock.now_ms()
    if not _can_read(claim, spec):
        if claim.parked.entries:
            # Somebody else may read it later, and nobody may call the actor by then.
            await services.store.make_due(claim.address, due_ms(suspension, now_ms, NEVER_MS))
        return claim
    change = SuspensionChange(None)
    commit = Commit(claim, clock.token(), parking=ParkingChange(due_ms=now_ms), suspension=change)
    if not isinstance(await services.store.commit(commit), Committed):
        return claim
    services.observer.observe(ActorResumed(claim.address, suspension.cause))
    return replace(claim, version=claim.version + 1, suspension=None)


def _can_read(claim: Claim, spec: ActorSpec) -> bool:
    try:
        spec.state.load(spec.cls(), claim.state)
    except Exception:  # noqa: BLE001 - the class is the user's: whatever it raises, it cannot be built
        return False
    return True
