"""Durable named groups of actors.

Invariant: a group is a note of ids in the store. It neither makes nor keeps actors, and who
reads it sees who belonged to it at some moment while reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from broker_actors.actor.handle import Handle, target_of
from broker_actors.actor.ref import Ref
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.group import GroupName
from broker_actors.ports.groups import GROUP_PAGE_MAX, Groups

RefT = TypeVar("RefT", bound=Ref)


class Group(Generic[RefT]):
    """Actors of one type that belong together; made by `ActorSystem.group`.

    Joining and leaving take effect at once, also inside a turn that is rolled back afterwards.
    """

    def __init__(self, name: GroupName, make: Callable[[str], RefT], groups: Groups) -> None:
        self._name = name
        self._make = make
        self._groups = groups

    async def join(self, *refs: RefT) -> None:
        """Add actors; nothing for those that belong to it already.

        Raises:
            ConfigurationError: one of them is of another type.
            PlatformError: the group would have more than 100,000 members, or the store is unavailable.
                Of more than 1,000 refs, some thousands may have joined.

        """
        for ids in self._pages(refs):
            await self._groups.join(self._name, ids)

    async def leave(self, *refs: RefT) -> None:
        """Remove actors; nothing for those that do not belong to it.

        Raises:
            ConfigurationError: one of them is of another type.
            PlatformError: the store is unavailable; of more than 1,000 refs, some thousands may have left.

        """
        for ids in self._pages(refs):
            await self._groups.leave(self._name, ids)

    async def members(self) -> list[RefT]:
        """Return all who belong to it, in the order of their ids.

        Raises:
            PlatformError: the store is unavailable.

        """
        found: list[str] = []
        while True:
            page = await self._groups.members(self._name, after=found[-1] if found else "")
            found += page
            if len(page) < GROUP_PAGE_MAX:
                return [self._make(actor_id) for actor_id in found]

    def __repr__(self) -> str:
        """Return `<group Player/online>`."""
        return f"<group {self._name}>"

    def _pages(self, refs: tuple[RefT, ...]) -> list[list[str]]:
        ids: list[str] = []
        for ref in refs:
            _check_ref(ref)
            address = target_of(ref).address
            if address.type != self._name.type:
                raise ConfigurationError(f"{address} cannot belong to {self!r}: it is of another type")
            ids.append(address.id)
        return [ids[start : start + GROUP_PAGE_MAX] for start in range(0, len(ids), GROUP_PAGE_MAX)]


def _check_ref(ref: object) -> None:
    if not isinstance(ref, Handle):
        raise ConfigurationError(f"{ref!r} is no ref: members are refs, made by `system.ref(...)`")
