"""`--watch`: worker processes that are started anew when a Python file changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from watchfiles import Change, PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType] - also takes an event of trio, which is not here

from broker_actors.cli.daemon import Options
from broker_actors.cli.reporting import announce
from broker_actors.cli.supervising import Parent, finish, planned
from broker_actors.worker.supervisor import StartFailedError


async def reload(wanted: Options, count: int) -> None:
    """Keep *count* processes of the code as it is now, until this process is told to stop.

    Raises:
        BrokerActorsError: a setting cannot be.
        Exit: a process did not stop in order, in the end.

    """
    changes = awatch(*watched(wanted.targets), watch_filter=PythonFilter())
    with planned(wanted, count) as plan:
        # Two edits within a second that leave the size as it is would find the bytecode of the first.
        environment = {**plan.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        parent = Parent(wanted, replace(plan, environment=environment))
        with parent.observed():
            stop = asyncio.create_task(parent.stopping.wait())
            change = asyncio.create_task(_next(changes))
            in_order = True
            while not parent.stopping.is_set():
                supervisor, ending = parent.start()
                await asyncio.wait((stop, change, ending), return_when=asyncio.FIRST_COMPLETED)
                if ending.done() and isinstance(ending.exception(), StartFailedError):
                    # Half a line typed, most likely. What is wrong with it, the process has said.
                    announce("waiting for a change", wanted.log_format)
                    await asyncio.wait((stop, change), return_when=asyncio.FIRST_COMPLETED)
                if change.done():
                    announce(f"changed: {change.result()}", wanted.log_format)
                    change = asyncio.create_task(_next(changes))
                supervisor.stop()
                with suppress(StartFailedError):
                    in_order = await ending
            for task in (stop, change):
                task.cancel()
            await asyncio.wait((stop, change))
            finish(wanted, in_order=in_order)


def watched(targets: Sequence[str]) -> list[Path]:
    """Return the folders and files to watch: the current folder, and what the modules of *targets* lie in.

    The modules are not imported: what they hold now may not even compile.
    """
    here = Path.cwd()
    found = {here}
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    for target in targets:
        top = target.partition(":")[0].partition(".")[0]
        spec = find_spec(top) if top else None
        if spec is not None:
            folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
            found.update(folders or ([Path(spec.origin)] if spec.origin else []))
    return [path for path in sorted(found) if path.exists() and not found & set(path.parents)]


async def _next(changes: AsyncIterator[set[tuple[Change, str]]]) -> str:
    paths = sorted(path for _kind, path in await anext(changes))
    here = Path.cwd()
    return ", ".join(
        str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path) for path in paths
    )
