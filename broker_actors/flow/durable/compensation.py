"""Taking back what was completed, when a run fails or is cancelled."""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeGuard, runtime_checkable

from broker_actors.actor.turn import turn
from broker_actors.flow.attempts import Attempts
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Undo
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.pace import OnLoop

_PACE: Final = OnLoop()


@runtime_checkable
class Compensates(Protocol):
    """A node whose completed visits can be compensated when the flow fails or is cancelled later."""

    def compensate(self, shared: Any, exec_res: Any) -> Any:  # noqa: ANN401 - as in any node
        """Take back what the visit that had *exec_res* for a result has done; plain or async."""
        ...


def can_be_compensated(node: BaseNode) -> TypeGuard[Compensates]:
    """Return whether *node* has a `compensate`."""
    return isinstance(node, Compensates)


async def compensate(plan: Plan, undo: Undo, shared: dict[str, Any]) -> str:
    """Compensate the visit *undo*; return why it could not be, or nothing.

    Raises:
        AnotherReleaseError: there is no such node in this release.

    """
    node = plan.visited(undo.node, undo.params)
    if not isinstance(node, Compensates):
        return f"{undo.node}: it cannot be compensated any more"
    attempts = node.max_retries if isinstance(node, Attempts) else 1
    problem = ""
    for number in range(max(1, attempts)):
        try:
            with turn.current().all_or_nothing():
                await _PACE.value(node.compensate(shared, undo.result))
        except Exception as error:  # noqa: BLE001 - what cannot be taken back is reported, and the rest goes on
            problem = f"{undo.node}: {type(error).__name__}: {error}"
            if number + 1 < attempts and isinstance(node, Attempts):
                await _PACE.sleep(node.wait)
        else:
            return ""
    return problem
