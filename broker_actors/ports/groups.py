"""Groups: which actors belong together, until they leave.

Membership is a durable note in the store and nothing else: a member need not live anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from broker_actors.core.group import GroupName

#: Ids that join, leave or are read at once.
GROUP_PAGE_MAX: Final = 1_000


class Groups(Protocol):
    """The members of groups, by actor id."""

    async def join(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids*, at most 1,000, belong to *group*: all of them or, on an error, none. Idempotent.

        Raises:
            PlatformError: the group would have more than `GROUP_MEMBERS_MAX` members.
            StoreUnavailableError: no answer within the deadline; it may have been noted.

        """
        ...

    async def leave(self, group: GroupName, ids: Sequence[str]) -> None:
        """Note that *ids*, at most 1,000, do not belong to *group* any more. Idempotent.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have been noted.

        """
        ...

    async def members(
        self, group: GroupName, *, after: str = "", limit: int = GROUP_PAGE_MAX
    ) -> Sequence[str]:
        """Return the next members after the id *after*, sorted; fewer than *limit* only if there are no more.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def close(self) -> None:
        """Give up the connection. Idempotent."""
        ...
