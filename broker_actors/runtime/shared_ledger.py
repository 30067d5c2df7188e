"""The ledger of an activation, whatever of it overlaps.

Each commit starts from the version the one before it made, so they are written one after
the other: those of turns that overlap, and those that park what waits behind a turn.
Invariants: between a commit and its answer no other commit of the actor begins; after one
of which it is not known whether it happened, or which was fenced, none begins any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final, ParamSpec, TypeVar

from broker_actors.core.envelope import Envelope
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.sections import SectionMark
from broker_actors.runtime.ledger import Found, Ledger, Outcome
from broker_actors.runtime.outbox import Outbox
from broker_actors.runtime.parking import Parking

P = ParamSpec("P")
T = TypeVar("T")


class _Unknown:
    """What became of a commit that was not answered."""


_UNKNOWN: Final = _Unknown()


class SharedLedger:
    """A ledger that several turns may use at a time. Implements `runtime.ledger.Ledger`."""

    __slots__ = ("_end", "_inner", "_writers", "_writing", "outbox", "parking")

    def __init__(self, inner: Ledger) -> None:
        self._inner = inner
        #: Where what is committed goes.
        self.outbox: Outbox = inner.outbox
        #: What this activation has parked.
        self.parking: Parking | None = inner.parking
        #: There only while somebody waits for another to have written, which is seldom.
        self._writing: asyncio.Lock | None = None
        self._writers = 0
        #: Why nobody writes any more; while one writes, that it is not known what becomes of it.
        self._end: Fenced | _Unknown | None = None

    @property
    def epoch(self) -> int:
        """The fencing token of this activation."""
        return self._inner.epoch

    @property
    def nonce(self) -> str:
        """What tells the claim of this activation from every other."""
        return self._inner.nonce

    @property
    def version(self) -> int:
        """How many commits this activation knows of."""
        return self._inner.version

    @property
    def rolled_back(self) -> bool:
        """Whether it was said that the store had lost commits this activation knows of."""
        return self._inner.rolled_back

    def is_next(self, envelope: Envelope) -> bool:
        """Return whether the numbered *envelope* comes next, and every number before it has come."""
        return self._inner.is_next(envelope)

    def look_up(self, envelope: Envelope) -> Awaitable[Found]:
        """Return whether *envelope* has run; raises `StoreUnavailableError`."""
        return self._inner.look_up(envelope)

    def commit(self, outcome: Outcome) -> Coroutine[None, None, Committed | Fenced]:
        """Write the turn when it is its turn; raises `StoreUnavailableError`."""
        return self._write(self._inner.commit, outcome)

    def park(self, envelopes: Sequence[Envelope]) -> Coroutine[None, None, list[Envelope] | Fenced]:
        """Park *envelopes*; raises `StoreUnavailableError`."""
        return self._write(self._inner.park, envelopes)

    async def answered(self) -> None:
        """Take note that whoever asked has its reply; raises `StoreUnavailableError`."""
        await self._inner.answered()

    async def sections(self, turn: str) -> int:
        """Return how many sections of *turn* are durable; raises `StoreUnavailableError`."""
        return await self._inner.sections(turn)

    def commit_section(
        self, mark: SectionMark, state: bytes | None, tells: Sequence[Outgoing]
    ) -> Coroutine[None, None, Committed | Fenced]:
        """Write a section when it is its turn; raises `StoreUnavailableError`."""
        return self._write(self._inner.commit_section, mark, state, tells)

    def compare(self, found: int) -> None:
        """Take note of how many commits the store knows of."""
        self._inner.compare(found)

    def close(self, envelope: Envelope) -> None:
        """Take note that *envelope* will never run."""
        self._inner.close(envelope)

    async def _write(
        self, write: Callable[P, Awaitable[T | Fenced]], *args: P.args, **kwargs: P.kwargs
    ) -> T | Fenced:
        """Do what *write* does when nobody else writes, in the order of coming."""
        self._writers += 1
        if self._writers > 1:
            await self._wait()
        try:
            if self._end is not None:
                return _ended(self._end)
            # Until the end, which what fails or is cancelled does not reach: nobody knows what became of it.
            self._end = _UNKNOWN
            result = await write(*args, **kwargs)
            self._end = result if isinstance(result, Fenced) else None
            return result
        finally:
            self._writers -= 1
            if self._writing is not None:
                self._leave(self._writing, is_in=True)

    async def _wait(self) -> None:
        """Return when those who came before have written."""
        writing = self._writing
        if writing is None:
            # Held, from now on, by the one that writes: this does not suspend.
            writing = self._writing = asyncio.Lock()
            await writing.acquire()
        try:
            await writing.acquire()
        except BaseException:
            self._writers -= 1
            self._leave(writing, is_in=False)
            raise

    def _leave(self, writing: asyncio.Lock, *, is_in: bool) -> None:
        if is_in:
            writing.release()
        if not self._writers:
            self._writing = None


def _ended(end: Fenced | _Unknown) -> Fenced:
    if isinstance(end, Fenced):
        return end
    text = "the store did not answer an earlier commit of this activation: its end is not known"
    raise StoreUnavailableError(text)
