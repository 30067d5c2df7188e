"""The steps of a timer's tick: a turn that nobody sent.

Invariant: a tick that fails is neither tried again nor buried. It is told to the observer, counts as a
fault of its actor, and the timer rings again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker_actors.core import turn as t
from broker_actors.core.retry import Retry
from broker_actors.runtime.activation import Subject
from broker_actors.runtime.services import Services
from broker_actors.runtime.steps import Steps, TurnHost
from broker_actors.runtime.suspects import Trial

_ONCE: Final = Retry(attempts=1)


class TimerSteps(Steps):
    """One tick of a timer, as the spine sees it."""

    __slots__ = ()

    def __init__(
        self,
        trial: Trial,
        activation: Subject,
        services: Services,
        host: TurnHost,
        *,
        overflows: bool = False,
    ) -> None:
        super().__init__(trial, activation, services, host, overflows=overflows)
        self.terms = replace(self.terms, retry=_ONCE, blocks=False)

    async def commit(self, commit: t.Commit) -> t.Event:
        """Make the outcome durable, without a retry or a dead letter."""
        return await super().commit(replace(commit, outgoing=()))

    def ack(self, outcome: str, turn: t.Turn) -> None:
        """End."""
        super().ack("fault" if outcome == "dead_lettered" else outcome, turn)
