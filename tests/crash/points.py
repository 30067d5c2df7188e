"""Where workers die: the crash matrix, as data.

A point is one row of the table in docs/explanation/crashes.md. Its first form runs in
every suite, all of them in `make verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """What is sent to `Front`, twice."""

    TELL = "tell"
    ASK = "ask"
    #: An ask whose turn tells `Back` twice.
    CHAIN = "chain"
    #: A tell whose turn asks `Back`.
    NESTED = "nested"


class Scene(StrEnum):
    """What goes on when the worker dies."""

    TURN = "a turn"
    KEYED = "a turn of a call with an idempotency key"
    RETRY = "a turn that fails once"
    DEAD = "a turn that is rejected"
    #: The next worker would succeed: its success beside a dead letter would be a doubled message.
    BROKEN = "a keyed turn that fails for good, in this worker"
    #: The same, of a last attempt that came by a delay level.
    WORN = "a retry that fails for good, in this worker"
    MOVE = "another worker takes the mailbox over"
    STOP = "the worker stops in order"
    IDLE = "the actor is idle"
    REFUSED = "a target refuses what is sent to it at first"
    GIVEN_UP = "the caller is gone"
    BLOCK = "a turn that fails once and holds up the next one"
    SUSPENDED = "the actor is suspended before, and resumed after"
    DELAYED = "a delayed tell is due"
    REMINDED = "a turn sets a reminder, and its tick is due"


ALL: Final = (Form.CHAIN, Form.TELL, Form.ASK, Form.NESTED)
ONE_WAY: Final = (Form.TELL, Form.NESTED)
ANSWERED: Final = (Form.ASK, Form.CHAIN)


@dataclass(frozen=True, slots=True)
class Point:
    """One crash point.

    Attributes:
        name: what people call it.
        spots: where each worker process dies, one after the other.
        scene: what goes on.
        forms: what can be sent so that the spot is reached.

    """

    name: str
    spots: tuple[str, ...]
    scene: Scene = Scene.TURN
    forms: tuple[Form, ...] = ALL


def at(call: str, phase: str, count: int = 1) -> str:
    """Return the spot at the *count*-th time of a call."""
    return f"{call} | {phase} | {count}"


METHOD: Final = at("method", "during")
COMMITTED: Final = at("store.commit Front", "after")
CHAIN: Final = (Form.CHAIN,)
TELLS: Final = (Form.TELL, Form.CHAIN)

POINTS: Final = (
    Point("delivered", (at("broker.deliver Front", "before"),), forms=(Form.TELL, *ALL[:1], *ALL[2:])),
    Point("before the holder is noted", (at("members.hold Front", "before"),)),
    Point(
        "after the holder is noted",
        (at("members.hold Front", "after"),),
        forms=(Form.ASK, Form.CHAIN, *ONE_WAY),
    ),
    Point("before the claim", (at("store.claim Front", "before"),)),
    Point(
        "while the claim is under way", (at("store.claim Front", "during"),), forms=(Form.NESTED, *ALL[:3])
    ),
    Point("after the claim", (at("store.claim Front", "after"),)),
    Point("before the look-up", (at("store.look_up Front", "before"),), Scene.KEYED),
    Point(
        "after the look-up",
        (at("store.look_up Front", "after"),),
        Scene.KEYED,
        (Form.TELL, *ALL[:1], *ALL[2:]),
    ),
    Point("in the method", (METHOD,)),
    Point("a suspect, before it is charged", (METHOD, at("store.charge Front", "before"))),
    Point("a suspect, after it is charged", (METHOD, at("store.charge Front", "after"))),
    Point("a suspect, in the method", (METHOD, METHOD)),
    Point("a suspect, committed, before it is discharged", (METHOD, at("store.discharge Front", "before"))),
    Point("before the commit", (at("store.commit Front", "before"),)),
    Point("while the commit is under way", (at("store.commit Front", "during"),)),
    Point("committed, and not answered", (at("store.commit Front", "unanswered"),)),
    Point("committed, before the dispatch", (COMMITTED,)),
    Point("before the commit of the second", (at("store.commit Front", "before", 2),)),
    Point("committed, before the caller's end", (COMMITTED,), Scene.GIVEN_UP, ANSWERED),
    Point("while the first tell is under way", (at("broker.publish Back", "during"),), forms=CHAIN),
    Point("after the first of two tells", (at("broker.publish Back", "after"),), forms=CHAIN),
    Point("after both tells", (at("broker.publish Back", "after", 2),), forms=CHAIN),
    Point("dispatched, before the outbox is cleared", (at("store.dispatched Front", "before"),), forms=CHAIN),
    Point("after the outbox is cleared", (at("store.dispatched Front", "after"),), forms=CHAIN),
    Point(
        "the callee committed, before its caller does",
        (at("store.commit Back", "after"),),
        forms=(Form.NESTED, Form.CHAIN),
    ),
    # A turn that sends nothing has answered when it is committed.
    Point("before the reply", (at("replies.send", "before"),), forms=CHAIN),
    Point("while the reply is under way", (at("replies.send", "during"),), forms=CHAIN),
    Point("after the reply", (at("replies.send", "after"),), forms=CHAIN),
    Point(
        "a duplicate, before its reply is found",
        (COMMITTED, at("store.answered Front", "before")),
        forms=ANSWERED,
    ),
    Point(
        "a duplicate, before it is answered again",
        (COMMITTED, at("replies.send", "before")),
        forms=(Form.ASK,),
    ),
    Point("before the acknowledgement", (at("broker.ack Front", "before"),)),
    Point("acknowledged, and not written", (at("broker.ack Front", "after"),)),
    Point("after the acknowledgement is written", (at("broker.ack Front", "during"),)),
    Point(
        "a leftover, before the next worker sends it",
        (COMMITTED, at("broker.publish Back", "before")),
        forms=CHAIN,
    ),
    Point(
        "a leftover, sent by the next worker", (COMMITTED, at("broker.publish Back", "after")), forms=CHAIN
    ),
    Point(
        "a leftover, before it is cleared", (COMMITTED, at("store.dispatched Front", "before")), forms=CHAIN
    ),
    Point(
        "the relay, before it sends a leftover", (at("broker.publish Back", "before"),), Scene.REFUSED, CHAIN
    ),
    Point("the relay, after it sent a leftover", (at("broker.publish Back", "after"),), Scene.REFUSED, CHAIN),
    Point(
        "the relay, before it clears a leftover",
        (at("store.dispatched Front", "before"),),
        Scene.REFUSED,
        CHAIN,
    ),
    Point(
        "the relay, after it cleared a leftover",
        (at("store.dispatched Front", "after"),),
        Scene.REFUSED,
        CHAIN,
    ),
    Point(
        "a suspended actor, before it parks",
        (at("store.commit Front", "before"),),
        Scene.SUSPENDED,
        ONE_WAY,
    ),
    Point("a suspended actor, parked, before the acknowledgement", (COMMITTED,), Scene.SUSPENDED, ONE_WAY),
    Point(
        "a resumed actor, in the first parked turn",
        (COMMITTED, METHOD),
        Scene.SUSPENDED,
        ONE_WAY,
    ),
    Point("what blocks, before it is parked", (at("store.commit Front", "before"),), Scene.BLOCK),
    Point("what blocks, parked, before the acknowledgement", (COMMITTED,), Scene.BLOCK),
    Point("what waits behind it, before it is parked", (at("store.commit Front", "before", 2),), Scene.BLOCK),
    Point(
        "what waits behind it, parked, before the acknowledgement",
        (at("store.commit Front", "after", 2),),
        Scene.BLOCK,
    ),
    Point("what blocks, in its second attempt", (COMMITTED, METHOD), Scene.BLOCK),
    Point(
        "what blocked, out of the parking",
        (at("store.commit Front", "after", 3),),
        Scene.BLOCK,
        (Form.ASK, *ONE_WAY, Form.CHAIN),
    ),
    Point(
        "what blocked, answered, before its reply is cleared",
        (at("store.dispatched Front", "before"),),
        Scene.BLOCK,
        (Form.ASK,),
    ),
    Point("what waited behind it, before its commit", (at("store.commit Front", "before", 4),), Scene.BLOCK),
    Point("a retry, before its commit", (at("store.commit Front", "before"),), Scene.RETRY),
    Point("a retry, committed, before its dispatch", (COMMITTED,), Scene.RETRY),
    Point("a retry, sent, before it is cleared", (at("broker.publish delay", "after"),), Scene.RETRY),
    Point(
        "a retry, cleared, before the acknowledgement", (at("store.dispatched Front", "after"),), Scene.RETRY
    ),
    Point(
        "a retry, due, before the relay forwards it",
        (at("broker.deliver actors.due", "before"),),
        Scene.RETRY,
    ),
    Point(
        "a retry, forwarded, before that is acknowledged",
        (at("broker.ack actors.due", "before"),),
        Scene.RETRY,
    ),
    Point(
        "a delayed tell, due, before it leaves the list",
        (at("store.arrived", "before"),),
        Scene.DELAYED,
        ONE_WAY,
    ),
    Point(
        "a delayed tell, off the list, before the relay forwards it",
        (at("store.arrived", "after"),),
        Scene.DELAYED,
        ONE_WAY,
    ),
    Point("a reminder, committed, before its tick is sent", (COMMITTED,), Scene.REMINDED, ONE_WAY),
    Point(
        "a tick, before its reminder is read",
        (at("store.reminder Front", "before"),),
        Scene.REMINDED,
        ONE_WAY,
    ),
    Point("a tick, before its commit", (at("store.commit Front", "before", 3),), Scene.REMINDED, ONE_WAY),
    Point(
        "a tick, committed, before the acknowledgement",
        (at("store.commit Front", "after", 3),),
        Scene.REMINDED,
        ONE_WAY,
    ),
    Point("a dead letter, before its commit", (at("store.commit Front", "before"),), Scene.DEAD, TELLS),
    Point("a dead letter, committed, before its dispatch", (COMMITTED,), Scene.DEAD, TELLS),
    Point(
        "a dead letter, sent, before it is cleared",
        (at("broker.publish actors.dead", "after"),),
        Scene.DEAD,
        TELLS,
    ),
    Point(
        "a dead letter, cleared, before the acknowledgement",
        (at("store.dispatched Front", "after"),),
        Scene.DEAD,
        TELLS,
    ),
    Point("a keyed fault, committed, before its dispatch", (COMMITTED,), Scene.BROKEN, TELLS),
    Point(
        "a keyed fault, cleared, before the acknowledgement",
        (at("store.dispatched Front", "after"),),
        Scene.BROKEN,
        TELLS,
    ),
    Point(
        "a last attempt, committed, before its dispatch",
        (at("store.commit Front", "after", 3),),
        Scene.WORN,
        (Form.TELL,),
    ),
    Point(
        "a last attempt, cleared, before the acknowledgement",
        (at("store.dispatched Front", "after", 2),),
        Scene.WORN,
        (Form.TELL,),
    ),
    Point("a hand-over, while a turn finishes", (at("move", "during"),), Scene.MOVE),
    Point("a hand-over, before the release", (at("members.release Front", "before"),), Scene.MOVE),
    Point("a hand-over, released, before the close", (at("members.release Front", "after"),), Scene.MOVE),
    Point("a hand-over, closed", (at("broker.close Front", "after"),), Scene.MOVE),
    Point("a stop, while a turn finishes", (at("stop", "during"),), Scene.STOP),
    Point("a stop, released, before the close", (at("members.release Front", "after"),), Scene.STOP),
    Point("a stop, closed, before the actors leave memory", (at("broker.close Front", "after"),), Scene.STOP),
    Point("a stop, its lease ended", (at("members.leave", "after"),), Scene.STOP),
    Point("passivation, before deactivate", (at("deactivate", "before"),), Scene.IDLE),
    Point("passivation, after deactivate", (at("deactivate", "after"),), Scene.IDLE),
)
