"""A worker of `cities` that dies at the function its environment names.

A spot is `<class>.<function> | after | <n-th time>`: it has run, and nothing of it is committed.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.bootstrap.backend import open_backend
from broker_actors.observability.logs import LoggingObserver
from tests.crash.doomed import HastyClock, serve
from tests.crash.fuse import Fuse
from tests.workers.cities import Arrive, Journey, Ledger, Rooms, Tour


async def main() -> None:
    """Run the flow until the spot is reached."""
    fuse, settings, observer = Fuse(), Settings(), LoggingObserver()
    for kind in (Tour, Arrive, Rooms):
        for name in ("prep", "exec", "post"):
            if name in vars(kind):
                setattr(kind, name, _deadly(vars(kind)[name], f"{kind.__name__}.{name}", fuse))
    backend = replace(await open_backend(settings, observer), clock=HastyClock())
    async with (
        ActorSystem(settings, observer=observer, backend=backend) as system,
        Worker(system, Journey, Ledger) as worker,
    ):
        await worker.run(asyncio.Event())


def _deadly(function: Callable[..., Any], spot: str, fuse: Fuse) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: object) -> object:
        made = function(*args)
        result = await made if inspect.isawaitable(made) else made
        fuse.reach(spot, "after")
        return result

    return call


if __name__ == "__main__":
    serve(main)
