"""Calls that wait for room in a full mailbox, instead of failing.

They stand in line, one line for each mailbox: some of them try again and again, the others have
not been numbered or encoded. Invariants: as long as nobody waits for a mailbox, nothing here
suspends before a publish; no call that waits overtakes another one to the same actor that
waits; a publish that is under way is never given up here, so that who is told
`MailboxFullError` knows that nothing was sent.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from broker_actors.client.line import Line, Waiting
from broker_actors.core.address import Address
from broker_actors.core.errors import MailboxFullError
from broker_actors.core.retry import Retry
from broker_actors.core.topology import ACTORS, Route
from broker_actors.core.wire import WireMessage
from broker_actors.dispatch import Dispatch
from broker_actors.ports.clock import Clock

#: How long who tries after a refusal waits first. Its deadline ends its attempts, not their number.
PACE: Final = Retry(min_backoff=0.05, max_backoff=1.0)
PAUSE_SECONDS_MIN: Final = 0.01


class Room:
    """The lines of one client, each there only while somebody stands in it."""

    def __init__(self, dispatch: Dispatch, clock: Clock) -> None:
        self.dispatch = dispatch
        self.clock = clock
        self.lines: dict[str, Line] = {}

    def place(self, route: Route, actor: Address, wait_seconds: float) -> Place:
        """Return a place for one publish at *route*, to enter before its envelope is numbered.

        Args:
            route: where it is to go.
            actor: whose mailbox that is; its calls keep their order.
            wait_seconds: how long it may wait for room; 0 for not at all.

        """
        return Place(self, route, actor, wait_seconds)


class Place:
    """The place of one call before a mailbox. Entering it waits for those who came before and wait."""

    def __init__(self, room: Room, route: Route, actor: Address, wait_seconds: float) -> None:
        self._room = room
        self._route = route
        self._actor = actor
        self._wait_seconds = wait_seconds
        self._until_seconds = room.clock.monotonic_seconds() + wait_seconds
        self._in_line: tuple[Line, Waiting] | None = None

    async def __aenter__(self) -> Self:
        """Wait behind those who wait for the same mailbox, if this call waits at all.

        Raises:
            MailboxFullError: they were not through within the time.

        """
        if self._wait_seconds > 0 and self._route.key in self._room.lines:
            try:
                await self._let_in(*self._stand())
            except BaseException:
                self._leave(is_taken=False)
                raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Make room for the next in line."""
        self._leave(is_taken=exc_type is None)

    async def publish(self, message: WireMessage) -> None:
        """Publish *message*, again for as long as the mailbox is full and this call may wait.

        Raises:
            MailboxFullError: it was refused each time, so it was not sent.
            PlatformError: what `Dispatch.publish` raises.

        """
        while True:
            try:
                await self._room.dispatch.publish(self._route, message)
            except MailboxFullError as error:
                if self._wait_seconds <= 0:
                    raise
                refused = error
            else:
                return
            if self._in_line is None:
                line, waiting = self._stand()
            else:
                line, waiting = self._in_line
                line.refused(waiting)
            if self._left_seconds() <= 0:
                raise MailboxFullError(f"{refused}; it was full for {self._wait_seconds:g} s") from refused
            await self._let_in(line, waiting)

    def leave(self) -> None:
        """Make room for the next in line, once the message was taken. Idempotent."""
        self._leave(is_taken=True)

    def _stand(self) -> tuple[Line, Waiting]:
        line = self._room.lines.setdefault(self._route.key, Line())
        self._in_line = (line, line.stand(self._actor))
        return self._in_line

    async def _let_in(self, line: Line, waiting: Waiting) -> None:
        """Return when it is the turn of *waiting* to try, after a pause if the mailbox was full just now."""
        try:
            async with asyncio.timeout(max(0.0, self._left_seconds())):
                await waiting.granted.wait()
                # One that was let in with it was refused before this one began: the window is one now.
                while waiting.epoch != line.pacing.epoch:
                    line.step_back(waiting)
                    await waiting.granted.wait()
        except TimeoutError:
            text = (
                f"mailbox {ACTORS}.{self._route.key} had no room for this call for {self._wait_seconds:g} s, "
                f"and {line.length - 1} calls of this process wait for room in it: send less, or start more "
                "workers"
            )
            raise MailboxFullError(text) from None
        if refusals := line.pacing.refusals:
            clock = self._room.clock
            pause_seconds = max(PAUSE_SECONDS_MIN, PACE.backoff_seconds(refusals, clock.chance()))
            await clock.sleep(max(0.0, min(self._left_seconds(), pause_seconds)))

    def _leave(self, *, is_taken: bool) -> None:
        in_line, self._in_line = self._in_line, None
        if in_line is not None:
            line, waiting = in_line
            line.leave(waiting, is_taken=is_taken)
            if not line.length:
                del self._room.lines[self._route.key]

    def _left_seconds(self) -> float:
        return self._until_seconds - self._room.clock.monotonic_seconds()


async def publish_at(place: Place, message: WireMessage) -> None:
    """Publish *message*, which has no number, from *place*; raises what `Place` raises."""
    async with place:
        await place.publish(message)
