"""What a Redis or Valkey must be like to hold actors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from broker_actors.core.finding import Finding, Severity, some

#: Share of `maxmemory` in use that leaves no time to react.
_FULL_SHARE: Final = 0.9
#: What the user of a Redis with access control lists needs, no more.
_RULES: Final = "~ba:* +@read +@write +@connection +@scripting +time +info"
_AOF_ON: Final = "CONFIG SET appendonly yes, and the same in redis.conf"
_ALWAYS: Final = "CONFIG SET appendfsync always, and the same in redis.conf"


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store says of itself.

    Attributes:
        product: `Redis` or `Valkey`.
        version: which release.
        role: `master`, or `slave` for a replica.
        cluster_nodes: primaries with slots, in cluster mode; 0 outside of it.
        eviction: its `maxmemory-policy`.
        maxmemory_bytes: its limit; 0 for none.
        used_bytes: how much of it is used.
        aof: whether it keeps a log of writes.
        aof_healthy: whether it could write that log.
        appendfsync: when the log reaches the disk; None if we may not ask.
        fsync_paused: whether rewriting the log suspends that; None if we may not ask.
        told: whether it said how it is set up at all; without that, the rest is not judged.
        refusals: what of the platform's commands it refused, in its words.

    """

    product: str
    version: str
    role: str = "master"
    cluster_nodes: int = 0
    eviction: str = "noeviction"
    maxmemory_bytes: int = 0
    used_bytes: int = 0
    aof: bool = True
    aof_healthy: bool = True
    appendfsync: str | None = "always"
    fsync_paused: bool | None = False
    refusals: Sequence[str] = ()
    told: bool = True


def judge_no_store(*, refused: bool, detail: str) -> Finding:
    """Return the finding for a store that could not be talked to.

    Args:
        refused: whether it answered, and does not let us in.
        detail: in whose words.

    """
    if refused:
        fix = f"check user and password in the store's URL, and the user's rules: ACL SETUSER <user> {_RULES}"
        return Finding("store.reach", Severity.ERROR, f"the store refuses the login: {detail}", fix)
    fix = "check host and port in the store's URL, that Redis or Valkey runs there, and firewalls between"
    return Finding("store.reach", Severity.ERROR, f"no store answers: {detail}", fix)


def judge_store(facts: StoreFacts) -> Iterator[Finding]:
    """Yield what the settings and the state of a store mean."""
    if facts.told:
        yield from _durability(facts)
        yield from _memory(facts)
        yield from _role(facts)
    else:
        text = "how the store is set up cannot be seen: it does not let us ask for INFO"
        yield Finding("store.durability", Severity.WARNING, text, "ACL SETUSER <user> +info")
    if facts.role != "master":
        # It refuses every write for this reason, which is told already.
        return
    if facts.refusals:
        text = f"the store refuses what the platform does: {some(facts.refusals)}"
        yield Finding("store.commands", Severity.ERROR, text, _remedy(" ".join(facts.refusals)))
    else:
        yield Finding("store.commands", Severity.OK, "the store runs the platform's scripts and commands")


def _remedy(refusals: str) -> str:
    if "OOM" in refusals:
        return "it is out of memory: raise maxmemory, or find what grew"
    if "MISCONF" in refusals or "disk" in refusals:
        return "it cannot write to its disk: look into its log"
    return f"give its user what it needs: ACL SETUSER <user> {_RULES} (who it is: ACL WHOAMI)"


def _durability(facts: StoreFacts) -> Iterator[Finding]:
    check = "store.durability"
    if not facts.aof:
        text = "appendonly is off: when the store restarts, it forgets what actors committed"
        yield Finding(check, Severity.ERROR, text, f"{_AOF_ON}; {_ALWAYS}")
        return
    if not facts.aof_healthy:
        text = "the store could not write its log of commits to disk"
        yield Finding(check, Severity.ERROR, text, "look into its log, and for a full or broken disk")
    match facts.appendfsync:
        case "always":
            yield Finding(check, Severity.OK, "every commit is on disk before it is answered")
        case "everysec":
            text = (
                "appendfsync is everysec: a power failure loses the commits of the last second, up to two, "
                "after their messages were acknowledged"
            )
            yield Finding(check, Severity.WARNING, text, _ALWAYS)
        case None:
            text = "when commits reach the disk cannot be seen: the store does not let us ask for appendfsync"
            yield Finding(check, Severity.NOTE, text, "ask its operator for appendfsync always")
        case other:
            text = f"appendfsync is {other}: a power failure loses what the system has not written by itself"
            yield Finding(check, Severity.ERROR, text, _ALWAYS)
    if facts.fsync_paused:
        text = "no-appendfsync-on-rewrite is yes: while the log is rewritten, commits do not reach the disk"
        yield Finding(check, Severity.WARNING, text, "CONFIG SET no-appendfsync-on-rewrite no")


def _memory(facts: StoreFacts) -> Iterator[Finding]:
    if facts.eviction != "noeviction":
        text = (
            f"maxmemory-policy is {facts.eviction}: when memory runs out, the store throws away states of "
            "actors and records of what has run"
        )
        fix = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf; keep caches elsewhere"
        yield Finding("store.eviction", Severity.ERROR, text, fix)
    else:
        yield Finding("store.eviction", Severity.OK, "the store never evicts what it holds")
    if not facts.maxmemory_bytes:
        text = (
            "maxmemory is not set: when memory runs out, the system ends the store instead of refusing writes"
        )
        fix = "set maxmemory to what the host can spare, with room for rewriting the log"
        yield Finding("store.memory", Severity.NOTE, text, fix)
        return
    share = facts.used_bytes / facts.maxmemory_bytes
    if share >= _FULL_SHARE:
        text = f"the store uses {share:.0%} of its maxmemory: at 100% every commit is refused"
        yield Finding("store.memory", Severity.WARNING, text, "raise maxmemory, or find what grew")
    else:
        yield Finding("store.memory", Severity.OK, f"the store uses {share:.0%} of its maxmemory")


def _role(facts: StoreFacts) -> Iterator[Finding]:
    if facts.role != "master":
        text = "the store is a read-only replica: nothing can be committed"
        yield Finding("store.role", Severity.ERROR, text, "point the store's URL at the primary")
    if facts.cluster_nodes > 1:
        text = f"the store is a cluster of {facts.cluster_nodes} primaries, of which one was examined"
        fix = "examine each of them: give its host alone in the store's URL"
        yield Finding("store.role", Severity.NOTE, text, fix)
