"""Which node a promise is of.

Invariant: what is refused here was not kept, and whoever sent it is told whether to send it again.
"""

from __future__ import annotations

from broker_actors.core.errors import BusinessError
from broker_actors.flow.durable.plan import Plan
from broker_actors.flow.durable.run import Run
from broker_actors.flow.durable.standstill import AnotherReleaseError
from broker_actors.flow.waiting import Wait


def awaited(plan: Plan, run: Run, name: str) -> Wait:
    """Return the node called *name*, which somebody completes.

    Raises:
        BusinessError: `no_promise`: it is no node, or none that waits; perhaps only in this release.

    """
    again = "; complete it again then" if any(strand.at == name for strand in run.waiting) else ""
    try:
        node = plan.node(name)
    except AnotherReleaseError as error:
        raise BusinessError("no_promise", f"{error}{again}" if again else error.problem) from error
    if isinstance(node, Wait):
        return node
    text = f"{name} waits for nobody"
    if again:
        text += f" in this release, but the run does: deploy one in which it is a Wait{again}"
    raise BusinessError("no_promise", text)
