"""Keeps leases while the event loop is too busy to.

A method that computes for ten seconds must not make the others take this worker for dead
in the middle of it; a loop that hangs for good must. So a thread renews what the loop
failed to renew in time, as long as the loop was seen alive recently.

Invariant: the thread renews, and never makes a lease: after a lease has ended, only a beat
begins one. It has its own connection, and holds the lock only between its questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Final

from redis.exceptions import RedisError

from broker_actors.adapters.redis.blocking import ANSWER_SECONDS, BlockingLink
from broker_actors.adapters.redis.connection import pack
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import Place, RedisSettings
from broker_actors.core.events import Trouble
from broker_actors.ports.observer import Observer

#: How many renewals fit into a lease, and how many attempts at one that fails.
RENEWALS_WITHIN_LEASE: Final = 3
ATTEMPTS_WITHIN_LEASE: Final = 10
#: How long the end of the thread may hold up the end of a process: connecting and one answer.
FAREWELL_SECONDS: Final = 2 * ANSWER_SECONDS + 0.5

#: How the thread is called, for whoever looks at a process.
THREAD: Final = "broker-actors-lease"
_PURPOSE: Final = "lease"
_WHERE: Final = "renewing the lease while the event loop is busy"


@dataclass(slots=True)
class _Lease:
    """In monotonic seconds: when the loop last asked, and when the lease was last renewed at the earliest."""

    beaten_at: float
    renewed_at: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a lease lasts, and how long a loop may be busy before it counts as dead."""

    lease_seconds: float
    max_loop_block_seconds: float


class LeaseKeeper:
    """Renews leases from a thread that lives as long as there are any."""

    def __init__(
        self,
        settings: RedisSettings,
        observer: Observer,
        patience: Patience,
        where: Callable[[str], Place | None] = lambda _: None,
    ) -> None:
        """Prepare without starting anything.

        Args:
            settings: where Redis is.
            observer: told about trouble.
            patience: how long a lease lasts without its loop.
            where: returns the node of a cluster that has a key; called from the thread.

        Raises:
            ConfigurationError: the URL cannot work.

        """
        self._observer = observer
        self._where = where
        self._patience = patience
        self._interval_seconds = patience.lease_seconds / RENEWALS_WITHIN_LEASE
        # Now, not at the first beat: options of the URL that mean nothing must be told at the start.
        BlockingLink(settings, _PURPOSE)
        self._settings = settings
        self._key = Keys(settings.prefix).members("leases")
        self._script = Script.named("renew")
        #: Guards everything below it; the thread waits on it.
        self._changed = Condition()
        self._leases: dict[str, _Lease] = {}
        self._thread: Thread | None = None
        self._ended = asyncio.Event()
        self._closed = False

    def beating(self, name: str) -> float:
        """Note that the loop asks to renew the lease of *name*; return now, for `beaten`."""
        now = monotonic()
        with self._changed:
            lease = self._leases.setdefault(name, _Lease(now, now))
            lease.beaten_at = now
            if self._thread is None and not self._closed:
                self._ended = asyncio.Event()
                link = BlockingLink(self._settings, _PURPOSE)
                arguments = (link, asyncio.get_running_loop(), self._ended)
                self._thread = Thread(target=self._run, args=arguments, name=THREAD, daemon=True)
                self._thread.start()
        return now

    def beaten(self, name: str, asked_at: float) -> None:
        """Note that the store has renewed the lease of *name*, not before *asked_at*."""
        with self._changed:
            if (lease := self._leases.get(name)) is not None:
                lease.renewed_at = max(lease.renewed_at, asked_at)

    def forget(self, name: str) -> None:
        """Renew the lease of *name* no more."""
        with self._changed:
            self._leases.pop(name, None)
            self._changed.notify_all()

    async def close(self) -> None:
        """End the thread. Idempotent."""
        with self._changed:
            self._closed = True
            self._leases.clear()
            self._changed.notify_all()
            if self._thread is None:
                return
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._ended.wait()
        except TimeoutError:
            # It renews nothing any more, and ends with its answer, or with the process.
            self._observer.observe(Trouble(_WHERE, f"the thread did not end within {FAREWELL_SECONDS:g} s"))

    # --- in the thread ------------------------------------------------------------

    def _run(self, link: BlockingLink, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        try:
            self._renew_until_forgotten(link, loop)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: the observer is told
            with self._changed:
                # The next beat starts another one.
                self._thread = None
            self._tell(loop, repr(error))
        finally:
            link.drop()
            _call(loop, ended.set)

    def _renew_until_forgotten(self, link: BlockingLink, loop: asyncio.AbstractEventLoop) -> None:
        retry_at, failing = 0.0, False
        while names := self._wait(loop, retry_at):
            try:
                for name in names:
                    self._renew(link, name)
                failing = False
            except (RedisError, OSError) as error:
                if not failing:
                    self._tell(loop, repr(error))
                failing = True
                retry_at = monotonic() + self._patience.lease_seconds / ATTEMPTS_WITHIN_LEASE

    def _wait(self, loop: asyncio.AbstractEventLoop, retry_at: float) -> list[str]:
        """Return whose leases must be renewed now, as soon as there are any; nobody at the end."""
        with self._changed:
            while self._leases and not loop.is_closed():
                now = monotonic()
                due_at = {name: self._due_at(lease, now) for name, lease in self._leases.items()}
                if now >= retry_at and (due := [name for name, at in due_at.items() if at <= now]):
                    return due
                self._changed.wait(max(min(due_at.values()), retry_at) - now)
            self._thread = None
            return []

    def _due_at(self, lease: _Lease, now: float) -> float:
        """Return when to look at *lease* again; not later than now if it must be renewed."""
        if now >= lease.beaten_at + self._patience.max_loop_block_seconds:
            # The loop hangs: the lease may end, unless the loop comes back.
            return now + self._interval_seconds
        return lease.renewed_at + self._interval_seconds

    def _renew(self, link: BlockingLink, name: str) -> None:
        asked_at = monotonic()
        lease_ms = int(self._patience.lease_seconds * 1000)
        link.move(self._where(self._key))
        link.ask(pack("EVAL", self._script.text, 1, self._key, name, lease_ms))
        self.beaten(name, asked_at)

    def _tell(self, loop: asyncio.AbstractEventLoop, error: str) -> None:
        _call(loop, lambda: self._observer.observe(Trouble(_WHERE, error)))


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Run *callback* on *loop*, unless nobody is left there to care."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return
