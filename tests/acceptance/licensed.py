"""A process that takes the one place of a limiter, says so, and says when it has lost it."""

from __future__ import annotations

import asyncio
import sys

from broker_actors import ActorSystem
from broker_actors.patterns import PlaceLostError

LIMITER = "license"


async def main(lease_seconds: float) -> None:
    """Work until the place is lost, once, and then for good."""
    async with ActorSystem.connect() as system:
        limiter = system.limiter(LIMITER, 1, lease=lease_seconds)
        say("asks")
        try:
            async with limiter as place:
                say("inside", place.token)
                await asyncio.Event().wait()
        except PlaceLostError as error:
            say("lost:", error)
        async with limiter as place:
            say("inside again", place.token)
            await asyncio.Event().wait()


def say(*words: object) -> None:
    """Print a line that the test reads at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
