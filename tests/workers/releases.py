"""Two releases of a durable flow, of which a worker runs the one that its environment names.

In the second one the batch and the person are gone, and another node is called otherwise.
"""

# pyright: reportUnusedExpression=false

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar, Final

from broker_actors import Ref, actor
from broker_actors.flow import BaseNode, DurableFlow, Flow, Node, ParallelBatchNode, Wait

Shared = dict[str, Any]
SECOND: Final = os.environ.get("RELEASE") == "second"
#: While this file is there, items run.
HOLD: Final = Path(os.environ.get("HOLD", "/nowhere"))
LOOK_SECONDS: Final = 0.05


class Note(Node):
    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:  # noqa: ARG002 - as every node
        shared.setdefault("ran", []).append(self.label)


class Later(Note):
    """Succeeds at its second attempt."""

    def exec(self, prep_res: object) -> None:  # noqa: ARG002 - as every node
        if self.cur_retry == 0:
            raise ConnectionError


class Items(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:  # noqa: ARG002 - as every node
        return [1, 2, 3, 4]

    async def exec(self, prep_res: int) -> int:
        while HOLD.exists():  # noqa: ASYNC110 - only a file is seen by all processes
            await asyncio.sleep(LOOK_SECONDS)
        return prep_res * prep_res

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:  # noqa: ARG002 - as every node
        shared["squares"] = exec_res


class Ask(Wait):
    def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:  # noqa: ARG002 - as every node
        shared["answer"] = exec_res


def wired() -> Flow:
    """Return the flow of this release."""
    start = Note("start")
    if SECOND:
        start >> Note("other") >> Note("end")
        return Flow(start)
    later = Later("later")
    later.max_retries, later.wait = 2, 1
    start >> later >> Items(concurrency=2) >> Ask() >> Note("end")
    return Flow(start)


@actor(partitions=1)
class Journey(DurableFlow):
    flow: ClassVar[BaseNode] = wired()


class JourneyRef(Journey, Ref): ...
