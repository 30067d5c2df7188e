"""The workers of a deployment on Redis: leases by the store's own clock.

Invariant: what an adapter remembers of the others is what the store had at the revision it
remembers with it. So as long as nothing changes, a beat is a few bytes each way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list, to_optional, to_pairs
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.connection import Answer
from broker_actors.adapters.redis.keeper import LeaseKeeper, Patience
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.member import LEASE_SECONDS, Member, Report
from broker_actors.ports.observer import Observer

#: How long a beat that was sent before its worker left may still be on its way.
LEFT_KEPT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class _Record:
    """A member as it was packed last: packing ten thousand mailboxes takes a while."""

    member: Member
    packed: bytes
    digest: str


class RedisMembers:
    """Implements `ports.members.Members`."""

    def __init__(self, settings: RedisSettings, observer: Observer, patience: Patience) -> None:
        self._batcher = Batcher(settings, observer, "members")
        self._keeper = LeaseKeeper(settings, observer, patience, self._batcher.place_of)
        self._lease_ms = int(patience.lease_seconds * 1000)
        keys = Keys(settings.prefix)
        self._leases, self._records = keys.members("leases"), keys.members("records")
        self._reports, self._held = keys.members("reports"), keys.members("held")
        self._all = (
            *(self._leases, self._records, keys.members("digests"), self._reports),
            *(keys.members("revision"), keys.members("left")),
        )
        self._beat, self._leave = Script.named("beat"), Script.named("leave")
        self._everyone = Script.named("everyone")
        self._hold, self._release = Script.named("hold"), Script.named("release")
        #: What the store has been told, as far as it has answered.
        self._told: dict[str, _Record] = {}
        self._revision = b""
        self._living: Sequence[Member] = ()

    @classmethod
    async def connect(
        cls,
        url: str,
        observer: Observer,
        *,
        timeout_seconds: float = 10.0,
        prefix: str = "ba",
        max_loop_block_seconds: float = 15.0,
        lease_seconds: float = LEASE_SECONDS,
    ) -> RedisMembers:
        """Return members that have reached Redis once.

        Args:
            url: where Redis is; see `RedisSettings`.
            observer: told about connections and trouble.
            timeout_seconds: how long a call may wait for its answer, over all attempts.
            prefix: how all keys begin.
            max_loop_block_seconds: how long after its last beat a worker is kept alive by a thread.
            lease_seconds: how long after its last renewal a worker counts as alive.

        Raises:
            StoreUnavailableError: no answer within the deadline, or Redis refuses us.
            ConfigurationError: the URL or the prefix cannot work.

        """
        settings = RedisSettings(url, timeout_seconds, prefix)
        members = cls(settings, observer, Patience(lease_seconds, max_loop_block_seconds))
        await members._batcher.reach()
        return members

    async def beat(self, member: Member, report: Report) -> Sequence[Member]:
        """Renew the lease of *member*; return everybody who lives."""
        asked_at = self._keeper.beating(member.name)
        told = self._told.get(member.name)
        known = told is not None and told.member == member
        record = told if told is not None and known else _record(member)
        answer = await self._ask(record, report, b"" if known else record.packed)
        if answer[0] == b"UNKNOWN":
            # The lease had ended, or the store lost it.
            answer = await self._ask(record, report, record.packed)
        status, revision, records = answer
        if to_bytes(status) == b"RENEWED":
            self._told[member.name] = record
            self._keeper.beaten(member.name, asked_at)
        else:
            self._keeper.forget(member.name)
        if records is not None:
            self._revision, self._living = to_bytes(revision), _members(records)
        return self._living

    async def leave(self, name: str) -> None:
        """End the lease of *name* for good."""
        self._keeper.forget(name)
        self._told.pop(name, None)
        to_int(await self._batcher.run(self._leave, self._all, name, LEFT_KEPT_SECONDS * 1000))

    async def everyone(self) -> Sequence[tuple[Member, Report]]:
        """Return everybody who lives, with their reports."""
        keys = (self._leases, self._records, self._reports)
        flat = to_list(await self._batcher.run(self._everyone, keys))
        found: list[tuple[Member, Report]] = []
        for name, record, report in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            member = Member.unpack(to_bytes(name).decode(), to_optional(record) or b"")
            if member is not None:
                found.append((member, Report.unpack(to_optional(report) or b"")))
        return sorted(found, key=lambda pair: pair[0].name)

    async def hold(self, mailbox: str, name: str) -> bool:
        """Note that *name* is served from *mailbox*; return whether nobody else held it."""
        answer = await self._batcher.run(self._hold, (self._held,), mailbox, name, uuid4().hex)
        return to_int(answer) == 1

    async def release(self, mailbox: str, name: str) -> None:
        """Note that *name* has given *mailbox* back."""
        to_int(await self._batcher.run(self._release, (self._held,), mailbox, name))

    async def close(self) -> None:
        """Stop renewing and give up the connections. Idempotent."""
        try:
            await self._keeper.close()
        finally:
            await self._batcher.close()

    async def _ask(self, record: _Record, report: Report, packed: bytes) -> list[Answer]:
        return to_list(
            await self._batcher.run(
                self._beat,
                self._all,
                *(record.member.name, self._lease_ms, record.digest, packed),
                *(report.pack(), self._revision),
            )
        )


def _record(member: Member) -> _Record:
    packed = member.pack()
    return _Record(member, packed, blake2b(packed, digest_size=16).hexdigest())


def _members(records: Answer) -> Sequence[Member]:
    found = (Member.unpack(name.decode(), record) for name, record in to_pairs(records))
    return tuple(sorted((member for member in found if member is not None), key=lambda member: member.name))
