"""Examining a Redis or Valkey: gathers facts, judges nothing.

Invariant: nothing of anybody's is changed. What the user may do is found out on a key of nobody.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from redis.exceptions import MovedError, RedisError

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.connection import Answer, Arg, Link, LinkLostError, LinkRefusedError, pack
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.address import is_type
from broker_actors.core.diagnosis.store import StoreFacts
from broker_actors.core.errors import ConfigurationError, StoreUnavailableError
from broker_actors.core.topology import Layout
from broker_actors.ports.observer import Observer
from broker_actors.ports.store import SPAWNED_MAX

_ROUND_TRIPS: Final = 5
#: Keys looked at in one step, and steps, of the search for recorded layouts: up to ten million keys.
_SCAN_KEYS: Final = 10_000
_SCAN_STEPS_MAX: Final = 1_000
#: Of so many keys one belongs to this node, in a cluster of up to a hundred.
_KEYS_TRIED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class NoStore:
    """A store that could not be examined: whether it refused us, and its words."""

    refused: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A store, as an examination found it.

    Attributes:
        facts: what it is like.
        latency_seconds: of a round trip.
        ahead_seconds: by how much its clock is ahead of this host's.
        layouts: what is on record.
        spawned: by dedicated type, the ids that have a mailbox.
        searched: whether all its keys were looked at for layouts.

    """

    facts: StoreFacts
    latency_seconds: float
    ahead_seconds: float
    layouts: Sequence[Layout] = ()
    spawned: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    searched: bool = True


async def examine(settings: RedisSettings, observer: Observer) -> Examined | NoStore:
    """Return what is found out about the store, without changing anything there.

    Raises:
        ConfigurationError: the URL cannot work.

    """
    link = Link(settings, observer, "doctor")
    try:
        await link.open()
        return await _Examination(link, settings).run()
    except LinkRefusedError as error:
        return NoStore(refused=True, detail=str(error))
    except (LinkLostError, StoreUnavailableError) as error:
        return NoStore(refused=False, detail=f"{link.server}: {error}")
    finally:
        await link.close()


class _Examination:
    def __init__(self, link: Link, settings: RedisSettings) -> None:
        self._link = link
        self._settings = settings
        self._keys = Keys(settings.prefix)

    async def run(self) -> Examined:
        latency_seconds, ahead_seconds = await self._distance()
        refusals = await self._refusals()
        info = _fields(await self._ask("INFO", "everything"))
        layouts, searched = await self._layouts()
        facts = await self._facts(info, refusals)
        return Examined(
            facts,
            latency_seconds,
            ahead_seconds,
            layouts,
            {one.type: await self._spawned(one.type) for one in layouts if one.dedicated},
            # Other nodes of a cluster have others.
            searched and facts.cluster_nodes <= 1,
        )

    async def _ask(self, *words: Arg) -> Answer:
        (answer,) = await self._link.exchange([pack(*words)], self._settings.attempt_seconds)
        return answer

    async def _distance(self) -> tuple[float, float]:
        """Return the median of some round trips, and the clock's difference in the quickest one."""
        loop = asyncio.get_running_loop()
        took: list[tuple[float, float]] = []
        for _ in range(_ROUND_TRIPS):
            begun, now_seconds = loop.time(), time.time()
            answer = await self._ask("TIME")
            seconds = loop.time() - begun
            if isinstance(answer, list):
                whole, micro = (to_int(part) for part in to_list(answer, 2))
                took.append((seconds, whole + micro / 1_000_000 - now_seconds - seconds / 2))
            else:
                took.append((seconds, 0.0))
        return sorted(took)[_ROUND_TRIPS // 2][0], min(took)[1]

    async def _refusals(self) -> list[str]:
        script, nobody = Script.named("doctor"), await self._nobody()
        load, run = script.load(), script.call((nobody,), ())
        loaded, answer = await self._link.exchange([load, run], self._settings.attempt_seconds)
        if isinstance(loaded, RedisError):
            return [f"SCRIPT LOAD: {loaded}"]
        if isinstance(answer, RedisError):
            return [f"EVALSHA: {getattr(answer, 'status_code', '') or ''} {answer}".replace("  ", " ")]
        refused = [to_bytes(text).decode(errors="replace") for text in to_list(answer)]
        # Readers of replies block on it outside of any script.
        read = await self._ask("XREAD", "COUNT", 1, "STREAMS", nobody, "0")
        return [*refused, f"XREAD: {read}"] if isinstance(read, RedisError) else refused

    async def _nobody(self) -> str:
        """Return a key that nobody has, and that belongs to this node if there are others."""
        nobody = ""
        for _ in range(_KEYS_TRIED_MAX):
            nobody = f"{self._settings.prefix}:{{doctor:{secrets.token_hex(8)}}}"
            if not isinstance(await self._ask("EXISTS", nobody), MovedError):
                break
        return nobody

    async def _facts(self, info: Mapping[str, str], refusals: Sequence[str]) -> StoreFacts:
        valkey = info.get("valkey_version")
        sizes: Answer = None
        if info.get("cluster_enabled") == "1":
            sizes = await self._ask("CLUSTER", "INFO")
        paused = await self._setting("no-appendfsync-on-rewrite")
        return StoreFacts(
            product="Valkey" if valkey else "Redis",
            version=valkey or info.get("redis_version", ""),
            role=info.get("role", "master"),
            cluster_nodes=int(_fields(sizes).get("cluster_size", "0")),
            eviction=info.get("maxmemory_policy", "unknown"),
            maxmemory_bytes=int(info.get("maxmemory", "0")),
            used_bytes=int(info.get("used_memory", "0")),
            aof=info.get("aof_enabled") == "1",
            aof_healthy=info.get("aof_last_write_status", "ok") == "ok",
            appendfsync=await self._setting("appendfsync"),
            fsync_paused=None if paused is None else paused == "yes",
            refusals=tuple(refusals),
            told=bool(info),
        )

    async def _setting(self, name: str) -> str | None:
        answer = await self._ask("CONFIG", "GET", name)
        return to_bytes(answer[1]).decode() if isinstance(answer, list) and len(answer) > 1 else None

    async def _layouts(self) -> tuple[list[Layout], bool]:
        pattern, cursor = self._keys.layout("*"), b"0"
        types: set[str] = set()
        for _ in range(_SCAN_STEPS_MAX):
            answer = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_KEYS)
            if isinstance(answer, RedisError):
                return await self._recorded(types), False
            at, keys = to_list(answer, 2)
            types.update(to_bytes(key).decode(errors="replace").rpartition(":")[2] for key in to_list(keys))
            cursor = to_bytes(at)
            if cursor == b"0":
                return await self._recorded(types), True
        return await self._recorded(types), False

    async def _recorded(self, types: set[str]) -> list[Layout]:
        found: list[Layout] = []
        for name in sorted(name for name in types if is_type(name)):
            answer = await self._ask("HMGET", self._keys.layout(name), "generation", "partitions")
            if isinstance(answer, list) and None not in answer:
                try:
                    found.append(Layout(name, *(to_int(part) for part in answer)))
                except (ConfigurationError, StoreUnavailableError):
                    # Somebody else's key of this name, which `broker-actors` itself refuses to use.
                    continue
        return found

    async def _spawned(self, actor_type: str) -> list[str]:
        answer = await self._ask("ZRANGE", self._keys.spawned(actor_type), 0, SPAWNED_MAX - 1)
        if not isinstance(answer, list):
            return []
        return [to_bytes(actor_id).decode(errors="replace") for actor_id in answer]


def _fields(answer: Answer) -> dict[str, str]:
    """Return what `INFO` and its like say, by name; nothing if they refused."""
    if not isinstance(answer, bytes):
        return {}
    pairs = (line.partition(":") for line in answer.decode(errors="replace").splitlines() if ":" in line)
    return {name: value for name, _, value in pairs}
