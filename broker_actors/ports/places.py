"""Places of limiters: how many, in all processes together, may do something at a time.

What is said here keeps a number small; it does not exclude. A holder that is slower than its
lease, or a store that lost its last writes, may let one more in: whoever must not work twice
passes on the token, which rises with every place that is given.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from broker_actors.core.limiting import Answer, Terms


class LimiterPlaces(Protocol):
    """The places of limiters, by name, and the lines of those who wait for one."""

    async def take(self, limiter: str, holder: str, terms: Terms) -> Answer:
        """Take a place, renew one that *holder* has, or wait in the line for `PATIENCE_SECONDS` more.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have a place, until its lease ends.

        """
        ...

    async def renew(self, limiter: str, holder: str, lease_ms: int) -> bool:
        """Keep the place of *holder* for *lease_ms* more; return False if it has none any more.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have been renewed.

        """
        ...

    async def leave(self, limiter: str, holder: str) -> None:
        """Give back the place of *holder*, or its place in the line. Idempotent.

        Raises:
            StoreUnavailableError: no answer within the deadline; what it has ends by itself.

        """
        ...

    async def close(self) -> None:
        """Give up the connection; places end by themselves. Idempotent."""
        ...


class HeldPlace(Protocol):
    """A place, as the code sees it that holds it."""

    @property
    def token(self) -> int:
        """Higher than that of every place given before."""
        ...

    def check(self) -> None:
        """Raise `PlaceLostError` if the place is lost."""
        ...


class Limiters(Protocol):
    """The limiters of one process."""

    def of(self, name: str, terms: Terms) -> AbstractAsyncContextManager[HeldPlace, bool | None]:
        """Return the limiter *name*: the same one for all who ask for it on the same terms.

        Raises:
            ConfigurationError: the name is none.

        """
        ...
