"""One simulated deployment: its servers, its nodes, what happened.

Invariant: a node that crashed does nothing any more: its steps do not run, its calls are
refused, and the broker has its messages back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from broker_actors.adapters.memory.members import MemoryMembers
from broker_actors.adapters.memory.replies import MemoryChannels
from broker_actors.adapters.memory.streams import MemoryStreams
from broker_actors.adapters.memory.transport import MemoryTransport
from broker_actors.core.address import Address
from broker_actors.core.errors import PlatformError
from broker_actors.core.wire import WireMessage
from tests.simulation.faults import Fate, Faults
from tests.simulation.loop import NODE, SimLoop
from tests.simulation.models import SimBroker, SimStore

#: Where the servers' own steps run.
SERVERS: Final = "servers"
#: The wall clock at virtual time zero.
EPOCH_MS: Final = 1_700_000_000_000
#: How long a call takes that is slow, or that takes effect after its caller has given up.
SLOW_SECONDS_MAX: Final = 6.0


@dataclass(frozen=True, slots=True)
class Target:
    """Crash whoever is the n-th to come here."""

    call: str
    phase: str
    nth: int


def dice(seed: str) -> Random:
    """Return chance that is the same for the same *seed*, whatever text hashes to in this process."""
    return Random(seed)  # noqa: S311 - nobody is to be kept from guessing it


@dataclass(slots=True)
class Sent:
    """What became of the publishes of one message of a turn."""

    body: bytes
    fates: list[str] = field(default_factory=list[str])


class SimClock:
    """Implements `ports.clock.Clock` on virtual time and seeded chance."""

    def __init__(self, loop: SimLoop, random: Random, *, ahead_ms: int = 0) -> None:
        self._loop = loop
        self._random = random
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        """Return the wall clock."""
        return EPOCH_MS + self._ahead_ms + int(self._loop.now_seconds * 1000)

    def advance(self, milliseconds: int) -> None:
        """Let the wall clock be so much later."""
        self._ahead_ms += milliseconds

    def monotonic_seconds(self) -> float:
        """Return virtual seconds."""
        return self._loop.now_seconds

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""
        self._loop.check()
        await asyncio.sleep(max(0.0, seconds))

    def chance(self) -> float:
        """Return the next number of the seed."""
        return self._random.random()

    def token(self) -> str:
        """Return the next token of the seed."""
        return f"{self._random.getrandbits(128):032x}"


class ServerClock(SimClock):
    """The clock of the servers: where an adapter yields to the loop, a call is on its way."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*, or after the time a message needs."""
        if seconds <= 0 and (chance := self._random.random()) > 0.6:
            seconds = (chance - 0.6) ** 2 / 4
        await asyncio.sleep(max(0.0, seconds))


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, faults: Faults, target: Target | None = None) -> None:
        self.seed = seed
        self.random = dice(f"steps of {seed}")
        self.loop = SimLoop(self.random)
        self.faults = faults
        clock = ServerClock(self.loop, self.random)
        self.broker = SimBroker(clock, self.note, self.random)
        self.channels = MemoryChannels()
        # Every second seed has the store of a single server, which answers callers; the others a cluster's.
        answering = self.channels if seed % 2 else None
        self.store = SimStore(clock, self.note, lambda: clock.advance(1), answering)
        self.members = MemoryMembers(clock)
        self.streams = MemoryStreams(self.store, clock)
        #: Connections to the broker, by node.
        self.transports: dict[str, MemoryTransport] = {}
        #: Virtual time, node, step, what happened, details.
        self.history: list[tuple[float, str, int, str, tuple[object, ...]]] = []
        self.problems: list[str] = []
        #: Crashes by place, and faults by call and kind.
        self.crashes: Counter[tuple[str, str]] = Counter()
        self.fates: Counter[tuple[str, str]] = Counter()
        self.troubles: Counter[str] = Counter()
        #: Calls that will still take effect although nobody waits for them.
        self.pending = 0
        #: What turns sent, by sender, number and target.
        self.sent: dict[str, Sent] = {}
        #: When the store was set back, by the history; 0 if it never was.
        self.set_back = 0
        #: Workers that were stopped in order, and soon know nothing.
        self.stopped: set[str] = set()
        #: How many commits of each actor each worker knows of, or knew.
        self.known: dict[str, dict[Address, int]] = {}
        #: Workers that knew more of an actor than the store had left.
        self._witnesses: dict[Address, set[str]] = {}
        #: Actors of which it was said that the store has gone back.
        self.said_back: set[Address] = set()
        #: Bodies that arrived later than those published after them.
        self.resent: list[bytes] = []
        self._target = target
        self._target_left = 0 if target is None else target.nth

    def clock(self) -> SimClock:
        """Return the clock of a process: those of different machines are a second apart, perhaps."""
        return SimClock(self.loop, self.random, ahead_ms=self.random.choice((-1_000, 0, 0, 1_000)))

    def note(self, what: str, *details: object) -> None:
        """Write *what* into the history; texts are made only if somebody reads it."""
        loop = self.loop
        self.history.append((loop.now_seconds, NODE.get(), loop.steps, what, details))

    def lines(self) -> list[str]:
        """Return the history as text."""
        return [
            f"{seconds:8.3f} {step:6} {node:<9} {what} {' '.join(map(str, details))}"
            for seconds, node, step, what, details in self.history
        ]

    def learn(self, address: Address, version: int) -> None:
        """Let the calling node know of so many commits of *address*."""
        self.known.setdefault(NODE.get(), {})[address] = version

    def witnessed(self, left: Mapping[Address, int]) -> None:
        """Take note of who knows that there were more commits of actors than are *left*."""
        for node, known in self.known.items():
            for address, version in known.items():
                if left.get(address, version) < version:
                    self._witnesses.setdefault(address, set()).add(node)

    @property
    def unsaid(self) -> list[Address]:
        """Actors of which commits were lost that somebody knows of who lives, and nobody has said so."""
        return sorted(
            address
            for address, nodes in self._witnesses.items()
            if address not in self.said_back
            and any(not self.loop.is_gone(node) for node in nodes - self.stopped)
        )

    def note_sent(self, message: WireMessage, fate: Fate) -> None:
        """Remember what becomes of a publish, if it is a message that a turn numbered."""
        headers = message.headers
        if "#" not in str(headers.get("ba-sender", "")) or "ba-dead-id" in headers:
            return
        what = "/".join(str(headers[name]) for name in ("ba-sender", "ba-seq", "ba-type", "ba-id"))
        self.sent.setdefault(what, Sent(message.body)).fates.append(fate)

    def later(self, seconds: float, act: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Let the effect of a call happen, although its caller has given up."""
        self.pending += 1
        self.loop.spawn(SERVERS, self._later(seconds, act))

    async def _later(self, seconds: float, act: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await asyncio.sleep(seconds)
            self.note("late effect")
            await act()
        except PlatformError as error:
            self.note("late effect", "failed", repr(error))
        finally:
            self.pending -= 1

    def slow_seconds(self) -> float:
        """Return how long a slow call takes."""
        return self.random.random() ** 2 * SLOW_SECONDS_MAX

    def crashes_here(self, call: str, phase: str) -> bool:
        """Return whether the calling node crashes at this point; then it has."""
        target = self._target
        if target is None or not self._target_left or (target.call, target.phase) != (call, phase):
            return False
        self._target_left -= 1
        if self._target_left:
            return False
        self.crashes[call, phase] += 1
        self.crash(NODE.get(), f"{phase} {call}")
        return True

    @property
    def has_target(self) -> bool:
        """Whether somebody is still to crash by plan."""
        return self._target_left > 0

    def spare(self) -> None:
        """Let nobody crash by plan from now on, and no call fail."""
        self.faults.active = False
        self._target_left = 0

    def crash(self, node: str, where: str) -> None:
        """Let *node* die."""
        if self.loop.is_gone(node):
            return
        self.note("crash", node, where)
        self.loop.crash(node)
        # The broker may need a moment to notice.
        delay_seconds = self.random.choice((0.0, 0.0, 1.0, 3.0))
        self.loop.call_as(SERVERS, delay_seconds, lambda: self.disconnect(node, "its process died"))

    def disconnect(self, node: str, why: str) -> None:
        """Let *node* lose its connection to the broker."""
        transport = self.transports.get(node)
        if transport is not None:
            self.note("disconnect", node, why)
            transport.lose_connection(why)

    def freeze(self, node: str, seconds: float) -> None:
        """Stop *node* for *seconds*."""
        if self.loop.is_gone(node) or self.loop.is_frozen(node):
            return
        self.note("freeze", node, f"for {seconds:.1f} s")
        self.loop.freeze(node)
        self.loop.call_as(SERVERS, seconds, lambda: self.thaw(node))

    def thaw(self, node: str) -> None:
        """Let *node* go on."""
        if self.loop.is_frozen(node):
            self.note("thaw", node)
            self.loop.thaw(node)
