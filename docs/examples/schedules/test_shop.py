"""Days and weeks of the shop, in milliseconds."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shop import Branch, BranchRef, Order, OrderRef

from broker_actors.testing import Actors, VirtualClock

#: A Friday.
MORNING = datetime(2026, 3, 27, 9, tzinfo=ZoneInfo("Europe/Berlin"))


async def test_an_order_expires_after_two_days(actors: Actors) -> None:
    kit = await actors(Order, clock=VirtualClock())
    order = kit.ref(OrderRef, "4711")
    await order.place()
    await kit.advance(timedelta(hours=47))
    assert await order.read() == "placed"
    await kit.advance(timedelta(hours=2))
    assert await order.read() == "expired"


async def test_an_order_that_is_paid_does_not(actors: Actors) -> None:
    kit = await actors(Order, clock=VirtualClock())
    order = kit.ref(OrderRef, "4711")
    await order.place()
    await order.pay()
    await kit.advance(timedelta(days=30))
    assert await order.read() == "paid"


async def test_a_branch_reports_in_the_evening_of_its_own_place(actors: Actors) -> None:
    kit = await actors(Branch, clock=VirtualClock(MORNING))
    branch = kit.ref(BranchRef, "berlin")
    await branch.open("Europe/Berlin")
    await kit.advance(timedelta(hours=8, minutes=59))
    assert await branch.figures() == (0, 8, 0)
    await kit.advance(timedelta(minutes=2))
    assert (await branch.figures())[0] == 1
    await kit.advance(timedelta(days=7))
    await branch.close()
    assert (await branch.figures())[0] == 6


async def test_a_timer_runs_while_the_branch_is_in_memory(actors: Actors) -> None:
    kit = await actors(Branch, clock=VirtualClock())
    branch = kit.ref(BranchRef, "berlin")
    await branch.figures()
    await kit.advance(250)
    assert await branch.figures() == (0, 0, 4)
    await kit.restart()
    assert await branch.figures() == (0, 0, 0)
