"""What the page says about pumps."""

import pytest
from pumps import Pump, PumpRef

from broker_actors import SystemFaultError
from broker_actors.core.errors import ActorSuspendedError
from broker_actors.core.events import ActorSuspended
from broker_actors.testing import Actors


async def test_a_pump_that_fails_three_times_is_suspended(
    actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = await actors(Pump)
    pump = kit.ref(PumpRef, "p1")
    await pump.move(5)

    monkeypatch.setattr(Pump, "motor_runs", False)
    for _ in range(3):
        with pytest.raises(SystemFaultError, match="the motor does not run"):
            await pump.move(1)
    with pytest.raises(ActorSuspendedError, match="failed 3 times within 60 s"):
        await pump.move(1)
    assert (await kit.wait_for(ActorSuspended)).cause == "faults"

    await pump.move.tell(2)
    monkeypatch.setattr(Pump, "motor_runs", True)
    assert await kit.resume(Pump, "p1")
    assert await pump.move(3) == 10
