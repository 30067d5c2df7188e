"""A limiter: so many at a time, in all processes together.

Invariants: who waits in this process stands in a line of its own, so that the store knows one
of them at a time; a block whose place was lost is ended and told so; a place is given back, or
ends with its lease, however the block ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final
from weakref import WeakValueDictionary

from broker_actors.core.address import check_id
from broker_actors.core.errors import PlaceLostError, PlatformError
from broker_actors.core.events import Trouble
from broker_actors.core.limiting import Granted, LineFull, Terms, ask_again_seconds
from broker_actors.ports.clock import Clock
from broker_actors.ports.observer import Observer
from broker_actors.ports.places import LimiterPlaces

#: How many renewals fit into a lease.
RENEWALS_WITHIN_LEASE: Final = 3
#: How long giving a place back may hold up who leaves; it ends with its lease anyway.
FAREWELL_SECONDS: Final = 2.0


@dataclass(slots=True)
class Place:
    """A place of a limiter, held by a block of code.

    Attributes:
        limiter: its name.
        token: higher than that of every place given before, for outside systems that can check it.
        until_seconds: when it ends unless renewed, by this process's clock.

    """

    limiter: str
    token: int
    until_seconds: float
    _clock: Clock = field(repr=False)
    _is_ended: bool = False

    @property
    def lost(self) -> bool:
        """Whether it has ended before the block.

        By the clock as well: a process that was frozen may go on before it has been told.
        """
        return self._is_ended or self._clock.monotonic_seconds() >= self.until_seconds

    def end(self) -> None:
        """It is lost, whatever the clock says."""
        self._is_ended = True

    def check(self) -> None:
        """Raise `PlaceLostError` if the place is lost: somebody else may have it."""
        if self.lost:
            text = (
                f"limiter {self.limiter!r}: the lease ran out before the work ended; another may have begun"
            )
            raise PlaceLostError(f"{text}. Take a longer lease, and do not block the event loop")


@dataclass(frozen=True, slots=True)
class LimiterPorts:
    """What a limiter works with."""

    places: LimiterPlaces
    clock: Clock
    observer: Observer


class Limiters:
    """Implements `ports.places.Limiters`."""

    def __init__(self, ports: LimiterPorts) -> None:
        self._ports = ports
        # Those in use: whoever waits in one line must wait in the same object.
        self._known: WeakValueDictionary[tuple[str, Terms], Limiter] = WeakValueDictionary()

    def of(self, name: str, terms: Terms) -> Limiter:
        """Return the limiter *name*; see the port."""
        limiter = self._known.get((name, terms))
        if limiter is None:
            limiter = self._known[name, terms] = Limiter(check_id(name, "limiter name"), terms, self._ports)
        return limiter


class Limiter:
    """So many at a time: `async with limiter: ...`, by any number of tasks. Made by `ActorSystem.limiter`."""

    def __init__(self, name: str, terms: Terms, ports: LimiterPorts) -> None:
        self._name = name
        self._terms = terms
        self._places, self._clock, self._observer = ports.places, ports.clock, ports.observer
        self._line = asyncio.Lock()
        self._given_back = asyncio.Event()
        self._inside: dict[asyncio.Task[Any] | None, list[AbstractAsyncContextManager[Place]]] = {}

    async def __aenter__(self) -> Place:
        """Wait for a place; whoever came first is first.

        Raises:
            PlatformError: the store is unavailable, or 10,000 processes wait already.

        """
        entering = self._holding()
        place = await entering.__aenter__()
        self._inside.setdefault(asyncio.current_task(), []).append(entering)
        return place

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Give the place back.

        Raises:
            PlaceLostError: it was lost meanwhile, and the block raised nothing else.

        """
        task = asyncio.current_task()
        leaving = self._inside[task].pop()
        if not self._inside[task]:
            del self._inside[task]
        return await leaving.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _holding(self) -> AsyncGenerator[Place]:
        holder = self._clock.token()
        ending = asyncio.timeout(None)
        await self._line.acquire()
        try:
            try:
                place = await self._taken(holder)
            finally:
                self._line.release()
            try:
                async with ending, _beside(self._keep(holder, place, ending)):
                    yield place
            except TimeoutError:
                if not ending.expired():
                    raise
            place.check()
        finally:
            await self._give_back(holder)

    async def _taken(self, holder: str) -> Place:
        asked = 0
        while True:
            self._given_back.clear()
            at_seconds = self._clock.monotonic_seconds()
            answer = await self._places.take(self._name, holder, self._terms)
            if isinstance(answer, Granted):
                until_seconds = at_seconds + self._terms.lease_ms / 1000
                return Place(self._name, answer.token, until_seconds, self._clock)
            if isinstance(answer, LineFull):
                raise PlatformError(f"limiter {self._name!r}: too many wait for it")
            asked += 1
            await self._pause(ask_again_seconds(asked, self._clock.chance()))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not for a place that is given back in this very process."""
        async with _beside(self._given_back.wait()) as freed, _beside(self._clock.sleep(seconds)) as slept:
            await asyncio.wait((freed, slept), return_when=asyncio.FIRST_COMPLETED)

    async def _keep(self, holder: str, place: Place, ending: asyncio.Timeout) -> None:
        """Renew the place until it is lost; then end the block."""
        try:
            async with (
                _beside(self._renew(holder, place)) as renewing,
                _beside(self._expire(place)) as expiring,
            ):
                await asyncio.wait((renewing, expiring), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The block has ended before.
            raise
        except BaseException:
            _lose(place, ending)
            raise
        _lose(place, ending)

    async def _renew(self, holder: str, place: Place) -> None:
        lease_seconds = self._terms.lease_ms / 1000
        while True:
            await self._clock.sleep(lease_seconds / RENEWALS_WITHIN_LEASE)
            at_seconds = self._clock.monotonic_seconds()
            try:
                if not await self._places.renew(self._name, holder, self._terms.lease_ms):
                    return
            except PlatformError as error:
                self._observer.observe(Trouble(f"limiter {self._name}", f"a place is not renewed: {error}"))
            else:
                place.until_seconds = at_seconds + lease_seconds

    async def _expire(self, place: Place) -> None:
        while (left := place.until_seconds - self._clock.monotonic_seconds()) > 0:
            await self._clock.sleep(left)

    async def _give_back(self, holder: str) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._places.leave(self._name, holder)
        except (PlatformError, TimeoutError) as error:
            text = f"a place is given back by its lease only: {error!r}"
            self._observer.observe(Trouble(f"limiter {self._name}", text))
        finally:
            self._given_back.set()


def _lose(place: Place, ending: asyncio.Timeout) -> None:
    place.end()
    ending.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def _beside(running: Coroutine[Any, Any, Any]) -> AsyncGenerator[asyncio.Task[Any]]:
    """Run *running* beside the block, and no longer."""
    task = asyncio.create_task(running)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
