"""An actor that shows what reached it."""

from __future__ import annotations

import asyncio

from broker_actors import actor, method

#: More than the five seconds that some Redis clients wait for an answer unless told otherwise.
SLOW_SECONDS = 6.0


@actor(partitions=1)
class Mirror:
    """Returns what it is given, at once or later."""

    @method
    def show(self, value: object) -> object:
        return value

    @method
    async def show_later(self, value: object) -> object:
        await asyncio.sleep(SLOW_SECONDS)
        return value
