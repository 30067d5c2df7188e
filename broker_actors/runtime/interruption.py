"""How a run ends of which nobody here can know, or may say, what becomes of it."""

from __future__ import annotations

from broker_actors.core.turn import Fenced, Lost


class TurnInterruptedError(Exception):
    """The actor belongs to somebody else now, or the store does not answer: the delivery goes back."""

    def __init__(self, event: Fenced | Lost, why: str = "") -> None:
        super().__init__(why)
        self.event = event
