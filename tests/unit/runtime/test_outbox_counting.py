"""When a commit has to say how many items the outbox holds."""

from __future__ import annotations

from broker_actors.core.unsent import Backlog
from broker_actors.runtime.outbox import StoreOutbox
from tests.unit.runtime.waiting_room import ACTOR, Room


def outbox_of(*, is_empty: bool) -> StoreOutbox:
    return StoreOutbox(Room().services, ACTOR, 1, Backlog(), is_empty=is_empty)


async def test_an_outbox_that_was_empty_need_not_be_counted_until_something_is_added() -> None:
    outbox = outbox_of(is_empty=True)
    assert outbox.is_empty
    outbox.committed(2)
    assert not outbox.is_empty


async def test_what_nobody_here_can_send_is_counted_once() -> None:
    outbox = outbox_of(is_empty=False)
    assert not outbox.is_empty
    outbox.committed(0)
    assert outbox.is_empty
