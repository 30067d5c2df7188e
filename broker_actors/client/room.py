"""Calls that wait for room in a full mailbox, instead of failing.

They stand in line, one line for each mailbox, in the order in which they came: the first of
them tries again and again, the others have not been numbered or encoded. Invariants: as long
as nobody waits for a mailbox, nothing here suspends before a publish; no call that waits
overtakes another one that waits for the same mailbox; a publish that is under way is never
given up here, so that who is told `MailboxFullError` knows that nothing was sent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Final, Self

from broker_actors.core.errors import MailboxFullError
from broker_actors.core.retry import Retry
from broker_actors.core.topology import ACTORS, Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.ports.clock import Clock

#: How long the first in line waits between its attempts. Its deadline ends them, not their number.
PACE: Final = Retry(min_backoff=0.05, max_backoff=1.0)
PAUSE_SECONDS_MIN: Final = 0.01


@dataclass(slots=True)
class _Line:
    """Those who wait for one mailbox, and the one whose turn it is: a lock lets them in in order."""

    first: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Room:
    """The lines of one client, each there only while somebody stands in it."""

    def __init__(self, dispatch: Dispatch, clock: Clock) -> None:
        self.dispatch = dispatch
        self.clock = clock
        self.lines: dict[str, _Line] = {}

    def place(self, route: Route, wait_seconds: float) -> Place:
        """Return a place for one publish at *route*, to enter before its envelope is numbered.

        Args:
            route: where it is to go.
            wait_seconds: how long it may wait for room; 0 for not at all.

        """
        return Place(self, route, wait_seconds)


class Place:
    """The place of one call before a mailbox. Entering it waits for those who came before and wait."""

    def __init__(self, room: Room, route: Route, wait_seconds: float) -> None:
        self._room = room
        self._route = route
        self._wait_seconds = wait_seconds
        self._until_seconds = room.clock.monotonic_seconds() + wait_seconds
        self._line: _Line | None = None

    async def __aenter__(self) -> Self:
        """Wait behind those who wait for the same mailbox, if this call waits at all.

        Raises:
            MailboxFullError: they were not through within the time.

        """
        if self._wait_seconds > 0 and self._route.key in self._room.lines:
            await self._stand()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Make room for the next in line."""
        self.leave()

    async def publish(self, message: WireMessage) -> None:
        """Publish *message*, again for as long as the mailbox is full and this call may wait.

        Raises:
            MailboxFullError: it was refused each time, so it was not sent.
            PlatformError: what `Dispatch.publish` raises.

        """
        try:
            await self._room.dispatch.publish(self._route, message)
        except MailboxFullError as error:
            if self._wait_seconds <= 0:
                raise
            refused = error
        else:
            return
        if self._line is None:
            await self._stand()
        for attempt in count(1):
            if (left_seconds := self._left_seconds()) <= 0:
                raise MailboxFullError(f"{refused}; it was full for {self._wait_seconds:g} s") from refused
            clock = self._room.clock
            pause_seconds = max(PAUSE_SECONDS_MIN, PACE.backoff_seconds(attempt, clock.chance()))
            await clock.sleep(min(left_seconds, pause_seconds))
            try:
                await self._room.dispatch.publish(self._route, message)
            except MailboxFullError as error:
                refused = error
            else:
                return

    def leave(self) -> None:
        """Give the place up. Idempotent."""
        line, self._line = self._line, None
        if line is not None:
            line.first.release()
            self._left(line)

    async def _stand(self) -> None:
        """Return as the first in line."""
        line = self._room.lines.setdefault(self._route.key, _Line())
        line.length += 1
        try:
            async with asyncio.timeout(max(0.0, self._left_seconds())):
                await line.first.acquire()
        except BaseException as error:
            ahead = line.length - 1
            self._left(line)
            if not isinstance(error, TimeoutError):
                raise
            text = (
                f"mailbox {ACTORS}.{self._route.key} was full for {self._wait_seconds:g} s, and {ahead} "
                "calls of this process wait for room in it: send less, or start more workers"
            )
            raise MailboxFullError(text) from None
        self._line = line

    def _left(self, line: _Line) -> None:
        line.length -= 1
        if not line.length:
            del self._room.lines[self._route.key]

    def _left_seconds(self) -> float:
        return self._until_seconds - self._room.clock.monotonic_seconds()


async def publish_at(place: Place, message: WireMessage) -> None:
    """Publish *message*, which is in no order with others, from *place*; raises what `Place` raises."""
    async with place:
        await place.publish(message)
