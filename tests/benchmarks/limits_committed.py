"""The least that a worker in Python can do whose turns are committed: its adapters, and its commits.

As `limits`, and each delivery waits for the very commit that its turn would write: fenced by a claim, from
the version before it, with a new state and its number accepted. Nobody looks whether it has run before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from broker_actors.adapters.redis.connection import Link
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.adapters.redis.turns import call_of
from broker_actors.core import codec, stored
from broker_actors.core.address import Address
from broker_actors.core.dedup import Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.ports.commit import Acceptance, Claim, Commit
from tests.benchmarks.job import Job
from tests.benchmarks.limits import HANG_SECONDS, Command, drain_with
from tests.benchmarks.measuring import Signals
from tests.benchmarks.ours import Quiet


class Commits:
    """Makes the commit of each envelope as a worker's turn does, each from the version before it made."""

    def __init__(self, keys: Keys, script: Script, claims: Mapping[str, Claim]) -> None:
        self._keys = keys
        self._script = script
        self._claims = dict(claims)

    @classmethod
    async def open(cls, job: Job, link: Link) -> Commits:
        """Claim every actor of *job*."""
        store, script = await RedisStore.connect(job.redis_url, Quiet()), Script.named("commit")
        try:
            claims = {
                name: await store.claim(Address(job.actor_type, name), job.sender) for name in job.actor_ids
            }
        finally:
            await store.close()
        await link.exchange([script.load()], HANG_SECONDS)
        return cls(Keys(RedisSettings(job.redis_url).prefix), script, claims)

    def command(self, envelope: Envelope) -> bytes:
        """Return the commit of *envelope*: a new state, and its number accepted."""
        claim = self._claims[envelope.address.id]
        self._claims[envelope.address.id] = replace(claim, version=claim.version + 1)
        accepted = Accepted(envelope.seq, (), envelope.low, envelope.sent_seconds * 1000)
        acceptance = Acceptance(envelope.sender, envelope.seq, accepted)
        # A worker may have to read it: the measurements share their actors.
        state = stored.pack({"total": envelope.seq}, 1, simplify=codec.refuse, what="state")
        commit = Commit(claim, f"{claim.nonce}:{envelope.seq}", state, acceptance=acceptance)
        return self._script.call(*call_of(commit, self._keys))


async def commits(job: Job, link: Link) -> Command:
    """Return what makes the commit of an envelope."""
    return (await Commits.open(job, link)).command


async def drain(job: Job, signals: Signals) -> None:
    """Take in what waits until all of it is committed."""
    await drain_with(commits, job, signals)
