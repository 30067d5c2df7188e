"""A stream that a turn reads: the turn counts as waiting while it waits for a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from broker_actors.core.errors import Plain
from broker_actors.ports.calling import Values

#: Tells the turn that it begins to wait, or no longer does.
Switch: TypeAlias = Callable[[], Awaitable[None]]


class AwaitedValues:
    """Implements `ports.calling.Values` around those of a caller."""

    __slots__ = ("__weakref__", "_begins", "_check", "_ends", "_values")

    def __init__(self, values: Values, check: Callable[[], None], begins: Switch, ends: Switch) -> None:
        self._values = values
        self._check = check
        self._begins = begins
        self._ends = ends

    @property
    def call_id(self) -> str:
        """The name of the call."""
        return self._values.call_id

    @property
    def seq(self) -> int:
        """The number of the last value that was returned."""
        return self._values.seq

    async def __anext__(self) -> Plain:
        """Return the next value; raises what the check raises as long as nothing was sent."""
        if not self.seq:
            self._check()
        try:
            await self._begins()
            return await self._values.__anext__()
        finally:
            await self._ends()

    async def aclose(self) -> None:
        """Cancel the generator, if it has not ended. Idempotent."""
        await self._values.aclose()

    def abandon(self) -> None:
        """Cancel the generator without waiting. Idempotent."""
        self._values.abandon()
