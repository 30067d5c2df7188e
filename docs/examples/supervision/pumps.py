"""Pumps that break now and then."""

from typing import ClassVar

from broker_actors import Ref, Retry, actor, method


@actor(
    retry=Retry(attempts=1),
    restart_policy="on_failure",
    max_restarts=2,
    restart_window=60,
    min_backoff=0.05,
    max_backoff=1,
)
class Pump:
    """Moves liters, as long as the motor runs."""

    motor_runs: ClassVar[bool] = True

    liters: int = 0

    @method
    def move(self, liters: int) -> int:
        if not Pump.motor_runs:
            raise RuntimeError("the motor does not run")
        self.liters += liters
        return self.liters


class PumpRef(Pump, Ref):
    """A handle on a pump."""
