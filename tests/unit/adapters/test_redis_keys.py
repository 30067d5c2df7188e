"""The names of what a commit touches."""

from __future__ import annotations

import pytest

from broker_actors.adapters.redis.keys import Keys
from broker_actors.core.address import Address


@pytest.mark.parametrize("actor_id", ["c1", "ü", "a:b", "{x}"])
def test_what_every_commit_touches_has_the_names_that_it_has_elsewhere(actor_id: str) -> None:
    keys, address = Keys("ba"), Address("Counter", actor_id)
    expected = [keys.actor(address), keys.outbox(address), keys.dirty(address), keys.senders(address)]
    assert keys.committed(address) == expected
