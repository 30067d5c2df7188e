"""Plays the steps of a story and says how each one went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker_actors.bootstrap.system import ActorSystem
from broker_actors.cli.demo.stage import Stage
from broker_actors.cli.demo.story import Seen, Step
from broker_actors.core.errors import BrokerActorsError

#: A guard against hanging: a step that takes this long has failed. Most take milliseconds.
STEP_SECONDS_MAX: Final = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step went."""

    step: Step
    seen: Seen
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the step did what it says."""
        return self.seen.text == self.step.expected


async def play(
    system: ActorSystem, steps: Sequence[Step], report: Callable[[Outcome], None]
) -> list[Outcome]:
    """Play *steps* on *system*, which is not open yet, and return how each went.

    A step that fails does not end the story: what the next ones show is worth seeing too.

    Args:
        system: where to play.
        steps: what to play.
        report: told each outcome as it happens.

    Raises:
        PlatformError: the system cannot be opened, or the worker not be started.

    """
    outcomes: list[Outcome] = []
    async with system, Stage(system) as stage:
        for step in steps:
            outcome = await _play(step, stage)
            report(outcome)
            outcomes.append(outcome)
    return outcomes


async def _play(step: Step, stage: Stage) -> Outcome:
    clock = stage.system.backend.clock
    started_seconds = clock.monotonic_seconds()
    deadline = asyncio.timeout(STEP_SECONDS_MAX)
    try:
        async with deadline:
            seen = await step.run(stage)
    except (BrokerActorsError, TimeoutError) as error:
        late = f"nothing within {STEP_SECONDS_MAX:g} s"
        seen = Seen(late if deadline.expired() else f"{type(error).__name__}: {error}")
    return Outcome(step, seen, clock.monotonic_seconds() - started_seconds)
