"""Sections: `async with turn():`, the places in an interleaved method where it may write.

A section waits in the lane of its actor like any turn, sees the newest commit, and is
committed at its end: its state, its tells and its number in one fenced write. Invariants:
while a section is open nothing else of the actor writes; a section whose number the store
has is run again without effect; after a commit of which nothing is known, nothing of the
turn leaves any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker_actors.core import turn as t
from broker_actors.core.address import Address
from broker_actors.core.call_id import CallId
from broker_actors.core.errors import CallCycleError, ConfigurationError, OutOfTurnError, PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.outgoing import Outgoing
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.cycles import Wanting
from broker_actors.runtime.outbox import numbered
from broker_actors.runtime.services import Services
from broker_actors.runtime.snapshot import Snapshot

#: Sections of one turn. More than this is a loop that belongs into several turns.
SECTIONS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A section in its lane: it is granted when its turn comes, and holds the lane until released."""

    address: Address
    granted: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Let the section begin; return when it is over."""
        self.granted.set()
        await self.released.wait()


class Lane(Protocol):
    """Where sections wait for their turn."""

    def enter(self, entry: Entry) -> None:
        """Put *entry* at the end of its actor's lane."""
        ...

    def caller_in_lane(self, wanting: Wanting) -> str:
        """Return the method that holds the lane and waits for *wanting*; empty if none does."""
        ...

    def waits(self, change: int) -> None:
        """Count *change* more (or fewer) turns as waiting: their places go to others meanwhile."""
        ...


class Recorder(Protocol):
    """The run a section is of, which records its tells."""

    @property
    def chain(self) -> tuple[str, ...]:
        """The actors that wait for the turn, itself last."""
        ...

    @property
    def key(self) -> str:
        """The key of its call."""
        ...

    @property
    def method(self) -> str:
        """The method that runs."""
        ...

    def section_begins(self) -> None:
        """Record tells apart from those of the turn."""
        ...

    def section_ends(self) -> list[Outgoing]:
        """Return what was recorded since, and record tells of the turn again."""
        ...


class Sections:
    """The sections of one run of one interleaved turn."""

    __slots__ = (
        "_before",
        "_entry",
        "_is_over",
        "_lane",
        "_number",
        "_on_lost",
        "_recorded",
        "_services",
        "_snapshot",
        "_turn",
        "lost",
    )

    def __init__(
        self, turn: str, snapshot: Snapshot, services: Services, lane: Lane, on_lost: Callable[[], None]
    ) -> None:
        self._turn = turn
        self._snapshot = snapshot
        self._services = services
        self._lane = lane
        self._on_lost = on_lost
        self._entry: Entry | None = None
        self._number = 0
        #: Numbers passed over, of which those after them are counted.
        self._before = 0
        #: How many of them the store has from an earlier run; None until it was asked.
        self._recorded: int | None = None
        self._is_over = False
        #: Why nothing more of the turn may leave; None while it may.
        self.lost: t.Fenced | t.Lost | None = None

    @property
    def over(self) -> SectionMark | None:
        """What the turn's last commit says of its sections; None if it had none."""
        return self._mark(0) if self._number else None

    def yielded(self, seq: int) -> None:
        """Number the next section as the first one after value *seq* of a generator.

        A generator that goes on after its first values has to find its later sections.
        """
        self._before = seq * SECTIONS_MAX

    def finish(self) -> None:
        """Take note that the run is over: a section that was left open is dropped."""
        self._is_over = True
        self._leave()

    @asynccontextmanager
    async def one(self, recorder: Recorder) -> AsyncGenerator[None]:
        """Wait for the lane, let the body write, commit what it wrote.

        Raises:
            OutOfTurnError: a section of this turn is open already, or another worker has the actor now.
            ConfigurationError: the actor keeps no state.
            CallCycleError: the lane is held by a turn that waits for this one.
            StoreUnavailableError: the store does not answer; the message is given back.

        """
        number = self._begin(recorder)
        try:
            is_recorded = await self._is_recorded(number)
            await self._granted()
            await self._snapshot.open()
            recorder.section_begins()
            try:
                yield
            finally:
                tells = recorder.section_ends()
            self._check_running()
            if not is_recorded:
                await self._commit(self._mark(number), tells)
        finally:
            self._snapshot.close()
            self._leave()

    def _begin(self, recorder: Recorder) -> int:
        self._check_running()
        where = self._snapshot.address
        if not self._snapshot.spec.durable:
            text = f"{where}: actors with delivery='at_least_once' keep no state, so they have no sections"
            raise ConfigurationError(text)
        if self._entry is not None:
            text = f"{where}: a section of this turn is open already; they can neither be nested nor overlap"
            raise OutOfTurnError(text)
        if self._number - self._before == SECTIONS_MAX:
            raise OutOfTurnError(f"{where}: more than {SECTIONS_MAX:,} sections in a turn: use several turns")
        self._check_cycle(recorder)
        self._number = max(self._number, self._before) + 1
        self._entry = Entry(where)
        # It runs in a place of its own, which its turn must not keep from it.
        self._lane.waits(+1)
        self._lane.enter(self._entry)
        return self._number

    def _check_cycle(self, run: Recorder) -> None:
        where, chain = self._snapshot.address, run.chain[:-1]
        if str(where) not in chain:
            return
        wanting = Wanting(where, chain, str(CallId(where, run.key)) if run.key else "")
        if method := self._lane.caller_in_lane(wanting):
            text = (
                f"{where}.{run.method} wants a section, which waits until {where}.{method} has ended, "
                f"and that waits for this call ({' calls '.join(run.chain)}): let {method} interleave, too, "
                "or write there and not in a section"
            )
            raise CallCycleError("call_cycle", text)

    def _leave(self) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.released.set()
            self._lane.waits(-1)

    def _check_running(self) -> None:
        if self._is_over:
            text = f"the turn of {self._snapshot.address} is over: what its section wrote is dropped"
            raise OutOfTurnError(text)

    async def _granted(self) -> None:
        if self._entry is not None:
            await self._entry.granted.wait()
        self._check_running()

    async def _is_recorded(self, number: int) -> bool:
        if self._recorded is None:
            try:
                self._recorded = await self._snapshot.ledger.sections(self._turn)
            except PlatformError:
                self._lose(t.Lost())
                raise
        return number <= self._recorded

    async def _commit(self, mark: SectionMark, tells: list[Outgoing]) -> None:
        writing = asyncio.ensure_future(self._write(mark, self._snapshot.changed(), tells))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # What is on its way to the store is waited for: who goes on in the lane must know its outcome.
            try:
                await asyncio.wait([writing])
            finally:
                if not writing.cancel() and not writing.cancelled():
                    writing.exception()
            raise

    async def _write(self, mark: SectionMark, state: bytes | None, tells: list[Outgoing]) -> None:
        snapshot, ledger = self._snapshot, self._snapshot.ledger
        try:
            result = await ledger.commit_section(mark, state, tells)
        except (PlatformError, asyncio.CancelledError):
            self._lose(t.Lost())
            raise
        if isinstance(result, t.Fenced):
            self._lose(result)
            text = f"another worker has {snapshot.address} now, and runs this message again"
            raise OutOfTurnError(text)
        # Read at once: turns that overlap this one commit, too.
        version = ledger.version
        snapshot.publish(state)
        try:
            await ledger.outbox.send(version, numbered(tells, result.marks))
        except PlatformError as error:
            # They are in the outbox, from where the relay sends them.
            self._services.observer.observe(Trouble(f"dispatch of {snapshot.address}", str(error)))

    def _lose(self, why: t.Fenced | t.Lost) -> None:
        self.lost = why
        self._on_lost()

    def _mark(self, number: int) -> SectionMark:
        return SectionMark(self._turn, number, self._snapshot.spec.options.key_retention_seconds)
