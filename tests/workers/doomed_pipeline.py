"""A worker of the pipeline that dies at the node its environment names.

A spot is `<node>.<function> | after | <n-th time>`: the function has run, and nothing of it is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from broker_actors import ActorSystem, Settings, Worker
from broker_actors.bootstrap.backend import open_backend
from broker_actors.flow.naming import names_of
from broker_actors.observability.logs import LoggingObserver
from tests.crash.doomed import HastyClock, serve
from tests.crash.fuse import Fuse
from workers.pipeline import Documents

_FUNCTIONS = ("prep", "exec", "post", "compensate")


async def main() -> None:
    """Run the pipeline until the spot is reached."""
    fuse, settings, observer = Fuse(), Settings(), LoggingObserver()
    for name, node in names_of(Documents.flow).items():
        for function in _FUNCTIONS:
            if hasattr(node, function):
                setattr(
                    node, function, _deadly(getattr(type(node), function), node, f"{name}.{function}", fuse)
                )
    backend = replace(await open_backend(settings, observer), clock=HastyClock())
    async with (
        ActorSystem(settings, observer=observer, backend=backend) as system,
        Worker(system, Documents) as worker,
    ):
        await worker.run(asyncio.Event())


def _deadly(function: Callable[..., Any], node: object, spot: str, fuse: Fuse) -> Callable[..., Any]:
    async def call(*args: object) -> object:
        made = function(node, *args)
        result = await made if asyncio.iscoroutine(made) else made
        fuse.reach(spot, "after")
        return result

    return call


if __name__ == "__main__":
    serve(main)
