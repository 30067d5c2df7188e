"""The workers of a process that share an embedded store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from broker_actors.core.member import LEASE_SECONDS, Member, Report
from broker_actors.ports.clock import Clock


@dataclass(slots=True)
class _Lease:
    member: Member
    report: Report
    until_seconds: float


class MemoryMembers:
    """Implements `ports.members.Members`; shared by the workers of one embedded store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        #: Who left: as many as workers ever ran in this process.
        self._left: set[str] = set()
        self._holders: dict[str, str] = {}

    async def beat(self, member: Member, report: Report) -> Sequence[Member]:
        """Renew the lease of *member*; return everybody who lives."""
        await asyncio.sleep(0)
        until_seconds = self._clock.monotonic_seconds() + LEASE_SECONDS
        if member.name not in self._left:
            self._leases[member.name] = _Lease(member, report, until_seconds)
        living = [lease.member for lease in self._living()]
        await asyncio.sleep(0)
        return living

    async def leave(self, name: str) -> None:
        """End the lease of *name* for good."""
        await asyncio.sleep(0)
        self._left.add(name)
        self._leases.pop(name, None)
        await asyncio.sleep(0)

    async def everyone(self) -> Sequence[tuple[Member, Report]]:
        """Return everybody who lives, with their reports."""
        await asyncio.sleep(0)
        return [(lease.member, lease.report) for lease in self._living()]

    async def hold(self, mailbox: str, name: str) -> bool:
        """Note that *name* is served from *mailbox*; return whether nobody else held it."""
        await asyncio.sleep(0)
        before = self._holders.get(mailbox, name)
        self._holders[mailbox] = name
        await asyncio.sleep(0)
        return before == name

    async def release(self, mailbox: str, name: str) -> None:
        """Note that *name* has given *mailbox* back."""
        await asyncio.sleep(0)
        if self._holders.get(mailbox) == name:
            del self._holders[mailbox]
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _living(self) -> list[_Lease]:
        now_seconds = self._clock.monotonic_seconds()
        self._leases = {
            name: lease for name, lease in sorted(self._leases.items()) if lease.until_seconds > now_seconds
        }
        return list(self._leases.values())
