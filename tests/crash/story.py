"""What is sent, and what must come of it whatever died on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from broker_actors import ActorSystem
from broker_actors.core import dead, topology
from broker_actors.core.address import Address
from broker_actors.ports.transport import Delivery, Transport
from tests.crash.actors import BackRef, FrontRef
from tests.crash.points import Form, Point, Scene
from tests.crash.worker import HANG_SECONDS, LOOK_SECONDS

ACTOR: Final = "a1"
_PLANS: Final = {Form.TELL: "", Form.ASK: "", Form.CHAIN: "tell", Form.NESTED: "ask"}
_MORE: Final = {
    Scene.RETRY: "fail",
    Scene.BLOCK: "fail",
    Scene.DEAD: "reject",
    Scene.BROKEN: "break",
    Scene.WORN: "fail break",
    Scene.MOVE: "linger",
    Scene.STOP: "linger",
}
_BURIED: Final = {
    Scene.DEAD: "rejected: BusinessError: 1",
    Scene.BROKEN: "failed: SystemFaultError: 1",
    Scene.WORN: "failed: SystemFaultError: 1",
}
#: What the first message is about comes after the second one.
_LATE: Final = frozenset({Scene.RETRY, Scene.DELAYED, Scene.REMINDED})
#: Of what went by a delay a double may be on its way when all that is known is over.
_DELAYED: Final = _LATE | {Scene.BLOCK, Scene.WORN}
_FAILS_ONCE: Final = frozenset({Scene.RETRY, Scene.BLOCK})
_PREFETCH: Final = 100
#: Where a retry of `Front` may wait: by levels of 1, 2 and 4 seconds.
_DELAYS: Final = (topology.DUE, *(f"actors.delay.{level:02}" for level in range(3)))
_MAILBOXES: Final = ("actors.Front.g1.0", "actors.Back.g1.0")


@dataclass
class Story:
    """Two messages to one actor, of which the first has all the trouble."""

    point: Point
    form: Form
    asks: dict[int, asyncio.Task[str]] = field(default_factory=dict[int, asyncio.Task[str]])

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for answers. Of what is to be a dead letter nobody does."""
        return self.form in {Form.ASK, Form.CHAIN} and self.point.scene not in _BURIED

    @property
    def leaves_nothing(self) -> bool:
        """Whether the broker is certainly empty once everything is checked."""
        return self.point.scene not in _DELAYED

    async def send(self, system: ActorSystem, number: int) -> None:
        """Send message *number* and return when it is in the mailbox, or on its way there."""
        scene, plan = self.point.scene, _PLANS[self.form]
        if number == 1:
            plan = f"{plan} {_MORE.get(scene, '')}"
        key = f"key {number}" if scene in {Scene.KEYED, Scene.BROKEN} else None
        front = system.ref(FrontRef, ACTOR).with_options(timeout=HANG_SECONDS, idempotency_key=key)
        if self.is_asked:
            self.asks[number] = asyncio.ensure_future(front.take(number, plan))
            await asyncio.sleep(0)
        elif number == 1 and scene is Scene.DELAYED:
            await front.take.tell_after(1, number, plan)
        elif number == 1 and scene is Scene.REMINDED:
            await front.plan.tell(number, plan)
        else:
            await front.take.tell(number, plan)

    @property
    def taken(self) -> list[int]:
        """The messages that have an effect at `Front`."""
        return [2] if self.point.scene in _BURIED else [1, 2]

    @property
    def notes(self) -> list[str]:
        """The notes at `Back`: one of a turn that failed is there only if it was asked for, and not told."""
        scene, asked = self.point.scene, self.form is Form.NESTED
        runs = ["1#1", "1#2", "2#1"] if scene in _FAILS_ONCE else ["1#1", "2#1"]
        if asked:
            return [f"{run} asked" for run in runs]
        if self.form is not Form.CHAIN:
            return []
        kept = runs[1:] if scene in {*_FAILS_ONCE, Scene.DEAD, Scene.BROKEN} else runs
        return [f"{run} {which}" for run in kept for which in ("first", "second")]

    async def check(self, system: ActorSystem) -> None:
        """Wait until everything has come to rest, and fail if that is not what it must be."""
        front = system.ref(FrontRef, ACTOR).with_options(timeout=HANG_SECONDS)
        back = system.ref(BackRef, ACTOR).with_options(timeout=HANG_SECONDS)
        answers = {number: await ask for number, ask in self.asks.items()}
        while len(await front.read()) < len(self.taken) or len(await back.read()) < len(self.notes):  # noqa: ASYNC110 - actors tell nobody outside
            await asyncio.sleep(LOOK_SECONDS)
        while await _waits(system.backend.transport, _DELAYS):  # noqa: ASYNC110 - a queue sends no event
            await asyncio.sleep(LOOK_SECONDS)
        taken, notes = await front.read(), await back.read()
        if self.point.scene in _LATE:
            # What waits lets others pass.
            assert (sorted(taken), sorted(notes)) == (self.taken, self.notes), (taken, notes)
            assert [note for note in notes if note[0] == "1"] == [
                note for note in self.notes if note[0] == "1"
            ], notes
        else:
            assert (taken, notes) == (self.taken, self.notes), (taken, notes)
        assert answers == {number: f"{number} is {taken.index(number) + 1}" for number in self.asks}

    async def is_over(self, system: ActorSystem) -> bool:
        """Return whether no worker, where none is, has anything more to do."""
        return not await _waits(system.backend.transport, [*_DELAYS, *_MAILBOXES])

    async def check_nothing_is_left(self, system: ActorSystem) -> None:
        """Fail if an outbox is not empty, or a dead letter is there that should not be."""
        transport, store = system.backend.transport, system.backend.store
        for actor_type in ("Front", "Back"):
            found = await store.peek(Address(actor_type, ACTOR))
            assert found is None or not (found.outbox or found.parked.entries or found.suspension)
        assert not [*await store.schedules("Front"), *await store.all_reminders("Front")]
        assert (await transport.depth(topology.dead_queue("Back"))).ready == 0
        assert (await transport.depth(topology.DEAD)).ready == 0
        letters = await _letters(transport)
        expected = {_BURIED[self.point.scene]} if self.point.scene in _BURIED else set[str]()
        assert {f"{letter.reason}: {letter.error}" for letter in letters} == expected
        # The copies of one letter have one id.
        assert len({letter.id for letter in letters}) == len(expected)


async def _waits(transport: Transport, queues: Iterable[str]) -> bool:
    """Return whether anything waits in *queues*, but for what a worker holds."""
    return any([(await transport.depth(queue)).ready for queue in queues])


async def _letters(transport: Transport) -> list[dead.DeadLetter]:
    queue = topology.dead_queue("Front")
    count = (await transport.depth(queue)).ready
    found: asyncio.Queue[Delivery] = asyncio.Queue()
    consumer = await transport.consume(queue, found.put_nowait, prefetch=_PREFETCH)
    letters: list[dead.DeadLetter] = []
    for _ in range(count):
        delivery = await found.get()
        delivery.ack()
        letters.append(dead.read(delivery.message))
    await consumer.close()
    return letters
