"""The workers of a deployment, as they know each other through the store.

What is said here decides who consumes what, and never who may commit: that is the fencing
of the store. So an answer that is a moment old costs a hand-over, not a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from broker_actors.core.member import Member, Report


class Members(Protocol):
    """Leases of workers, and notes of who was served from which mailbox."""

    async def beat(self, member: Member, report: Report) -> Sequence[Member]:
        """Say that *member* lives and what it does; return everybody who lives, sorted by name.

        It counts as alive for `LEASE_SECONDS` more. Adapters of a real store renew the lease
        from a thread of their own while the event loop is busy, for as long as they were
        told to bear that.

        Raises:
            StoreUnavailableError: no answer within the deadline; the lease may have been renewed.

        """
        ...

    async def leave(self, name: str) -> None:
        """End the lease of *name* now, for good: a beat that is still under way renews nothing. Idempotent.

        Raises:
            StoreUnavailableError: no answer within the deadline; the lease ends by itself.

        """
        ...

    async def everyone(self) -> Sequence[tuple[Member, Report]]:
        """Return everybody who lives, with their latest report, sorted by name.

        Raises:
            StoreUnavailableError: no answer within the deadline.

        """
        ...

    async def hold(self, mailbox: str, name: str) -> bool:
        """Note that *name* is being served from *mailbox*.

        Returns:
            Whether everybody who was served from it before has released it: if not, its last
            holder died, or was taken for dead, with messages in hand. True for *name* itself.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have been noted.

        """
        ...

    async def release(self, mailbox: str, name: str) -> None:
        """Note that *name* has given *mailbox* back in order; nothing if somebody else holds it now.

        Raises:
            StoreUnavailableError: no answer within the deadline; its next holder will suspect a crash.

        """
        ...

    async def close(self) -> None:
        """Give up the connections; leases end by themselves. Idempotent."""
        ...
