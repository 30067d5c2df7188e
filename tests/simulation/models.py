"""The models of broker and store: the memory adapters, with ears, and with a broker's bad days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import fields, replace
from random import Random

from broker_actors.adapters.memory.actors import MemoryActor
from broker_actors.adapters.memory.broker import MemoryBroker
from broker_actors.adapters.memory.queue import MemoryQueue, Subscription
from broker_actors.adapters.memory.replies import MemoryChannels
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.core.address import Address
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.topology import Declaration, Queue, Route
from broker_actors.core.turn import Committed, Fenced
from broker_actors.core.wire import WireMessage
from broker_actors.ports.clock import Clock
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.parking import NEVER_MS
from broker_actors.ports.store import CHARGES_MAX

Note = Callable[..., None]


class SimQueue(MemoryQueue):
    """A queue that may give back to its end, as RabbitMQ to 3.13 does without a delivery limit."""

    #: Whether it does.
    requeues_to_back = False

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a consumer; what it has not acknowledged returns."""
        if not self.requeues_to_back:
            super().unsubscribe(subscription)
            return
        back = list(subscription.unacked.values())
        subscription.unacked.clear()
        super().unsubscribe(subscription)
        self.ready.extend(replace(entry, redelivered=True) for entry in back)
        self._hand_out()


class SimBroker(MemoryBroker):
    """The broker, noting what it does."""

    def __init__(self, clock: Clock, note: Note, random: Random) -> None:
        super().__init__(clock)
        self._note = note
        self._random = random
        self.requeues_to_back = False
        self._declared: dict[int, Declaration] = {}

    def connect(self, connection: object) -> None:
        """Take note of *connection*; once is enough."""
        if connection not in self._connections:
            super().connect(connection)

    def declare(self, declaration: Declaration) -> None:
        """Make sure that *declaration* exists; the same object is looked at once."""
        if self._declared.get(id(declaration)) is declaration:
            return
        self._declared[id(declaration)] = declaration
        if isinstance(declaration, Queue) and declaration.name not in self._queues:
            queue = SimQueue(declaration.name, declaration.arguments)
            queue.requeues_to_back = self.requeues_to_back
            self._queues[declaration.name] = queue
        super().declare(declaration)

    def publish(self, route: Route, message: WireMessage) -> None:
        """Put *message* into its queues."""
        super().publish(route, message)
        self._note("arrived", route.key, Shown(message))

    def settle(self, queue: MemoryQueue, subscription: Subscription, tags: Iterable[int]) -> None:
        """Forget what was acknowledged."""
        for tag in (tags := list(tags)):
            entry = subscription.unacked.get(tag)
            if entry is not None:
                self._note("acknowledged", queue.name, Shown(entry.message))
        super().settle(queue, subscription, tags)


class SimStore(MemoryStore):
    """The store, noting what it does and whether it should have."""

    def __init__(
        self, clock: Clock, note: Note, pass_time: Callable[[], None], channels: MemoryChannels | None = None
    ) -> None:
        super().__init__(clock, channels)
        self._note = note
        #: No store comes back within the millisecond of which its last epoch is.
        self._pass_time = pass_time
        self.problems: list[str] = []
        self.commits = 0
        self.fenced = 0
        self._backup: dict[Address, MemoryActor] | None = None

    async def claim(self, address: Address, nonce: str) -> Claim:
        """Take the actor."""
        claim = await super().claim(address, nonce)
        self._note("claimed", address, claim.epoch, f"at version {claim.version}")
        return claim

    async def charge(self, address: Address, identity: str, *, at_most: int = CHARGES_MAX) -> int:
        """Count one more run of a suspect."""
        count = await super().charge(address, identity, at_most=at_most)
        self._note("charged", address, identity[-12:], f"{count} of {at_most}")
        return count

    async def discharge(self, address: Address, identity: str, *, keep: int = 0) -> None:
        """Forget the charges of an envelope, but for *keep* of them."""
        await super().discharge(address, identity, keep=keep)
        self._note("discharged", address, identity[-12:], f"but for {keep}")

    def suspend_now(self, actor_id: str) -> None:
        """Do what an operator's claim and commit do, in one step."""
        actor = self._actors[Address("Book", actor_id)]
        if actor.suspension is None:
            self._operate(actor, Suspension(Cause.OPERATOR, "to see what happens", self._clock.now_ms()))
            self._note("suspended", actor_id)

    def resume_now(self) -> None:
        """End every suspension."""
        for address, actor in self._actors.items():
            if actor.suspension is not None:
                self._operate(actor, None)
                self._note("resumed", address)

    def _operate(self, actor: MemoryActor, suspension: Suspension | None) -> None:
        now_ms = self._clock.now_ms()
        actor.claim(f"operator at version {actor.version}", now_ms, self._origin)
        actor.version += 1
        actor.suspension = suspension
        actor.parking.due_ms = now_ms if suspension is None else NEVER_MS

    def back_up(self) -> None:
        """Remember everything as it is now."""
        self._backup = deepcopy(self._actors)
        self._note("backed up")

    @property
    def run(self) -> str:
        """Which run of the store this is."""
        return self._origin

    def restart(self) -> None:
        """Come back as another run, with everything."""
        self._origin = f"after {self._origin}"
        self._pass_time()
        self._note("restarted")

    def set_back(self) -> dict[Address, int]:
        """Let everything be as it was: a backup was restored, or a replica promoted that was behind.

        Returns:
            How many commits there are left of each actor.

        """
        if self._backup is None:
            return {}
        self.restart()
        for address, actor in self._actors.items():
            before = deepcopy(self._backup.get(address, MemoryActor()))
            for one in fields(MemoryActor):
                setattr(actor, one.name, getattr(before, one.name))
        left = {address: actor.version for address, actor in self._actors.items()}
        self._note("set back", *(f"{address} to {version}" for address, version in left.items()))
        return left

    def has_committed(self, actor_id: str, text: str) -> bool:
        """Return whether *text* is in the state of one of the actors."""
        state = self._actors[Address("Book", actor_id)].state
        return state is not None and text.encode() in state

    def _committed(self, actor: MemoryActor, commit: Commit) -> Committed | Fenced:
        claim, epoch, nonce, repeated = commit.claim, actor.epoch, actor.nonce, actor.commit == commit.nonce
        is_suspended = actor.suspension is not None
        result = super()._committed(actor, commit)
        if isinstance(result, Fenced):
            self.fenced += 1
            self._note("fenced", claim.address, claim.epoch, f"at version {commit.version}")
            return result
        if not repeated:
            self.commits += 1
            if is_suspended and commit.state is not None:
                self.problems.append(f"{claim.address} ran a turn although it is suspended")
            if (claim.epoch, claim.nonce) != (epoch, nonce):
                self.problems.append(
                    f"a stale commit to {claim.address}: {claim.epoch} while {epoch} holds it"
                )
        parking = "" if commit.parking is None else f"parking {commit.parking}"
        self._note("committed", claim.address, claim.epoch, f"version {actor.version}", commit.state, parking)
        return result


class Shown:
    """A message as the history shows it, made only if somebody reads it."""

    __slots__ = ("_message",)

    def __init__(self, message: WireMessage) -> None:
        self._message = message

    def __str__(self) -> str:
        """Return who is told what, by whom."""
        headers, message = self._message.headers, self._message
        said = " ".join(
            f"{name[3:]}={headers[name]!s:.12}"
            for name in ("ba-seq", "ba-key", "ba-attempt")
            if name in headers
        )
        return f"{headers.get('ba-type')}/{headers.get('ba-id')}.{message.type} {said} {message.body!r:.80}"
