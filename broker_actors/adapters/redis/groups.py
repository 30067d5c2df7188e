"""Groups on Redis: a sorted set for each, in the order of the ids."""

from __future__ import annotations

from collections.abc import Sequence

from broker_actors.adapters.redis.answers import to_bytes, to_int, to_list
from broker_actors.adapters.redis.batcher import Batcher
from broker_actors.adapters.redis.keys import Keys
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.core.group import GROUP_MEMBERS_MAX, GroupName, too_many_members
from broker_actors.ports.groups import GROUP_PAGE_MAX
from broker_actors.ports.observer import Observer


class RedisGroups:
    """Implements `ports.groups.Groups`; connects when it is first used."""

    def __init__(self, settings: RedisSettings, observer: Observer) -> None:
        self._batcher = Batcher(settings, observer, "groups")
        self._keys = Keys(settings.prefix)
        self._join = Script.named("group_join")

    async def join(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids* belong to *group*."""
        keys = (self._keys.group(group),)
        # Twice the same id would count twice.
        if not to_int(await self._batcher.run(self._join, keys, GROUP_MEMBERS_MAX, *dict.fromkeys(ids))):
            raise too_many_members(group)

    async def leave(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids* do not belong to *group* any more."""
        if ids:
            to_int(await self._batcher.call("ZREM", self._keys.group(group), *ids))

    async def members(
        self, group: GroupName, *, after: str = "", limit: int = GROUP_PAGE_MAX
    ) -> Sequence[str]:
        """Return the next members after the id *after*."""
        begin = f"({after}" if after else "-"
        key = self._keys.group(group)
        answer = await self._batcher.call("ZRANGEBYLEX", key, begin, "+", "LIMIT", 0, limit)
        # Members of equal score are in the order of their bytes, which is that of their characters.
        return [to_bytes(member).decode() for member in to_list(answer)]

    async def close(self) -> None:
        """Give up the connection. Idempotent."""
        await self._batcher.close()
