"""Carry out one turn. Start reading here to follow a message end to end.

`broker_actors.core.turn` says *what* comes next; this module says in which order to do
it, and `steps` does it.
"""

from __future__ import annotations

from broker_actors.core import turn as t
from broker_actors.core.envelope import Envelope
from broker_actors.runtime.steps import Steps


# --8<-- [start:spine]
async def run_turn(envelope: Envelope, steps: Steps) -> None:  # noqa: C901 - a case for each command is the point
    """Take *envelope* from receipt to its end: acknowledged, or given back."""
    turn = t.Turn(envelope, steps.terms)
    event: t.Event = steps.received()
    while True:
        match turn.next(event):
            # First what every message meets, in that order.
            case t.LookUp():
                event = await steps.look_up()
            case t.Run(attempt=attempt):
                event = await steps.run(attempt)
            case t.Commit() as commit:
                event = await steps.commit(commit)
            case t.Dispatch():
                event = await steps.dispatch()
            case t.Answer(reply=reply):
                event = await steps.answer(reply)
            case t.Ack(outcome=outcome):
                return steps.ack(outcome, turn)
            case t.Charge():
                event = await steps.charge()
            case t.Pause(seconds=seconds):
                event = await steps.pause(seconds)
            case t.Abandon():
                return steps.abandon(turn)


# --8<-- [end:spine]
