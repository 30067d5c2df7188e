"""The order of time over an outage of the broker, in virtual time."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from broker_actors.bootstrap.backend import Embedded
from broker_actors.testing import ActorKit, VirtualClock
from tests.acceptance.ledger import Ledger, LedgerRef

COUNT = 300
#: Apart, so that there is one order.
STEP_SECONDS = 0.15
OUTAGE_SECONDS = 17.0


async def test_what_was_due_meanwhile_comes_at_once_and_all_of_it_in_order() -> None:
    embedded = Embedded(VirtualClock(datetime(2030, 1, 1, tzinfo=UTC)))
    clock = embedded.clock
    assert isinstance(clock, VirtualClock)
    numbers = list(range(COUNT))
    random.Random(7).shuffle(numbers)  # noqa: S311 - not for secrets
    with clock.standing():
        async with ActorKit(embedded, (Ledger,), None) as before:
            for number in numbers:
                await before.ref(LedgerRef, "l1").note.tell_after(1 + number * STEP_SECONDS, number)
        # With nobody connected the embedded broker is away: what waits in a level expires when it is back.
        clock.jump_to(clock.monotonic_seconds() + OUTAGE_SECONDS)
    async with ActorKit(embedded, (Ledger,), None) as after:
        ledger = after.ref(LedgerRef, "l1")
        await after.advance(1)
        overdue = round(OUTAGE_SECONDS / STEP_SECONDS)
        come = len(await ledger.read())
        assert overdue - 2 / STEP_SECONDS < come < overdue + 2 / STEP_SECONDS
        await after.advance(COUNT * STEP_SECONDS)
        assert await ledger.read() == list(range(COUNT))
