"""Groups inside the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker_actors.core.group import GROUP_MEMBERS_MAX, GroupName, too_many_members
from broker_actors.ports.groups import GROUP_PAGE_MAX


class MemoryGroups:
    """Implements `ports.groups.Groups`; shared by the systems of one embedded store."""

    def __init__(self) -> None:
        self._members: dict[GroupName, set[str]] = {}

    async def join(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids* belong to *group*."""
        await asyncio.sleep(0)
        joined = self._members.get(group, set()) | set(ids)
        if len(joined) > GROUP_MEMBERS_MAX:
            raise too_many_members(group)
        self._members[group] = joined
        await asyncio.sleep(0)

    async def leave(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids* do not belong to *group* any more."""
        await asyncio.sleep(0)
        left = self._members.pop(group, set()) - set(ids)
        if left:
            self._members[group] = left
        await asyncio.sleep(0)

    async def members(
        self, group: GroupName, *, after: str = "", limit: int = GROUP_PAGE_MAX
    ) -> Sequence[str]:
        """Return the next members after the id *after*."""
        await asyncio.sleep(0)
        found = sorted(member for member in self._members.get(group, ()) if member > after)[:limit]
        await asyncio.sleep(0)
        return found

    async def close(self) -> None:
        """Do nothing: there is no connection."""
