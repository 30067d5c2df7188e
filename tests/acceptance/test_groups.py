"""Groups of actors: durable, and called together."""

from __future__ import annotations

import pytest

from broker_actors import ConfigurationError
from broker_actors.patterns import broadcast
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import CounterRef
from tests.acceptance.gate import Gate
from tests.acceptance.listeners import Listener, listener, listeners, numbered


async def test_a_group_is_known_to_every_system_and_called_together(deployment: Deployment) -> None:
    one, other = await deployment.system(), await deployment.system()
    here, there = one.group(Listener, "room"), other.group(Listener, "room")
    await here.join(*listeners(one, "bob", "alice", "eve"))
    await there.leave(*listeners(other, "eve"))
    async with deployment.worker(listener(Gate())):
        outcomes = await broadcast(await there.members()).ask(Listener.hear, "hi")
    assert outcomes.values() == ["alice: hi", "bob: hi"]
    assert [ref.actor_id for ref in await here.members()] == ["alice", "bob"]


async def test_more_join_and_leave_than_fit_into_one_command(deployment: Deployment) -> None:
    system = await deployment.system()
    group = system.group(Listener, "everybody")
    refs = listeners(system, *sorted(numbered(2_500)))
    await group.join(*refs)
    assert await group.members() == refs
    await group.leave(*refs[:2_400])
    assert await group.members() == refs[2_400:]


async def test_only_actors_of_its_type_join_a_group(deployment: Deployment) -> None:
    system = await deployment.system()
    strangers = [system.ref(CounterRef, "c1")]
    group = system.group(Listener, "room")
    with pytest.raises(ConfigurationError, match="Counter/c1 cannot belong to <group Listener/room>"):
        await group.join(*strangers)  # type: ignore[arg-type] # which is what is tested
    with pytest.raises(ConfigurationError, match="170"):
        system.group(Listener, "")
