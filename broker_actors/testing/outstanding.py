"""What an embedded system still has to do.

Every message that waits, runs or is on its way is in a queue of the broker, where it stays
until it is acknowledged, or in the outbox of a turn whose sending failed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from broker_actors.adapters.memory.queue import MemoryQueue
from broker_actors.bootstrap.backend import Embedded
from broker_actors.core import topology
from broker_actors.core.outgoing import unpack
from broker_actors.core.wire import WireMessage

_DELAYS: Final = f"{topology.ACTORS}.delay"
_SHOWN_MAX: Final = 10


class NotSettledError(AssertionError):
    """Messages are left that did not end, or cannot; the text names them."""


class Outlook(Enum):
    """What is to be expected of the queues."""

    EMPTY = auto()
    BUSY = auto()
    STUCK = auto()


@dataclass(frozen=True, slots=True)
class Left:
    """A message that has not ended, and the queue or outbox it is in."""

    message: WireMessage
    where: str

    @property
    def target(self) -> str:
        """The type of the actor it is for; empty if it does not say."""
        return str(self.message.headers.get("ba-type", ""))

    def __str__(self) -> str:
        """Return `Counter/c1.increment in actors.Counter.g1.3`."""
        actor_id = self.message.headers.get("ba-id", "")
        return f"{self.target}/{actor_id}.{self.message.type} in {self.where}"


class Outstanding:
    """The messages of one embedded system that have not ended. Dead letters have."""

    def __init__(self, embedded: Embedded, served: Collection[str]) -> None:
        """Look at *embedded*, whose worker runs actors of the types *served*."""
        self._embedded = embedded
        self._served = served

    def outlook(self, *, delayed: bool, latest_ms: float) -> Outlook:
        """Return whether the queues are empty, and if not, whether they can be before *latest_ms*.

        Args:
            delayed: whether the delay levels count.
            latest_ms: Unix milliseconds; what is due later is stuck.

        """
        holding = [queue for queue in self._queues(delayed=delayed) if queue.held]
        if any(self._moves(queue, latest_ms) for queue in holding):
            return Outlook.BUSY
        return Outlook.STUCK if holding else Outlook.EMPTY

    async def left(self, *, delayed: bool) -> list[Left]:
        """Return what has not ended, what was committed and could not be sent included."""
        found = [
            Left(entry.message, queue.name)
            for queue in self._queues(delayed=delayed)
            for entry in queue.entries
        ]
        store = self._embedded.store
        for actor_type in self._served:
            for address in await store.undispatched(actor_type, older_than_seconds=0):
                items = (await store.outbox(address)).values()
                found += [Left(unpack(data).message, f"the outbox of {address}") for data in items]
        return found

    def explain(self, left: Sequence[Left], now_ms: int) -> str:
        """Return what *left* is, and what can be done about it."""
        return "\n".join(self._explanation(left, now_ms))

    def _explanation(self, left: Sequence[Left], now_ms: int) -> Iterator[str]:
        yield f"{len(left)} message{'s have' if len(left) > 1 else ' has'} not ended:"
        yield from (f"  {one}" for one in left[:_SHOWN_MAX])
        if len(left) > _SHOWN_MAX:
            yield "  ..."
        if unserved := sorted({one.target for one in left}.difference(self._served)):
            yield f"No worker runs {', '.join(unserved)} here: are all classes given that take part?"
        waits = [
            _due_ms(one.message) - now_ms for one in left if _is_delay(one.where) or one.where == topology.DUE
        ]
        if waits:
            seconds = max(0, *waits) / 1000
            yield f"The last delay ends in {seconds:.1f} s: settled(delayed=False) leaves delays alone."

    def _queues(self, *, delayed: bool) -> Iterator[MemoryQueue]:
        for queue in self._embedded.broker.queues:
            if not _holds_letters(queue.name) and (delayed or not self._only_waits(queue)):
                yield queue

    def _only_waits(self, queue: MemoryQueue) -> bool:
        """Return whether *queue* holds only what waits for its time, as `actors.due` may."""
        if queue.name != topology.DUE:
            return _is_delay(queue.name)
        now_ms = self._embedded.broker.clock.now_ms()
        return queue.held > 0 and all(_due_ms(entry.message) > now_ms for entry in queue.entries)

    def _moves(self, queue: MemoryQueue, latest_ms: float) -> bool:
        if self._only_waits(queue):
            return any(_due_ms(entry.message) <= latest_ms for entry in queue.entries)
        match queue.name.split("."):
            case [topology.ACTORS, actor_type, _, _, *_]:
                return actor_type in self._served
            case _:
                return True


def _is_delay(queue: str) -> bool:
    # Not `startswith`: the mailboxes of a type called `delay` have one more part.
    return queue.rpartition(".")[0] == _DELAYS


def _holds_letters(queue: str) -> bool:
    return topology.DEAD in {queue, queue.rpartition(".")[0]}


def _due_ms(message: WireMessage) -> int:
    due_ms = message.headers.get("ba-due", 0)
    return due_ms if isinstance(due_ms, int) else 0
