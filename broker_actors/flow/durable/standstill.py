"""Runs that cannot go on in this release: the flow was changed, and they stand at what is not in it any more.

Such a run is no failure: it keeps its place, says what it lacks, and looks again until a worker of a release
that has it comes by. Invariant: the pauses between two looks are bounded, so it goes on without being told.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core.errors import ConfigurationError
from broker_actors.flow.durable.strand import Strand
from broker_actors.flow.graph import BaseNode
from broker_actors.flow.waiting import Wait

#: Between two looks: it doubles up to the longest. Rolling deploys take minutes, mistakes hours.
PAUSE_SECONDS: Final = 2
PAUSE_SECONDS_MAX: Final = 256
_DOUBLINGS_MAX: Final = (PAUSE_SECONDS_MAX // PAUSE_SECONDS).bit_length() - 1


class AnotherReleaseError(ConfigurationError):
    """A run stands where this release of its flow has nothing that could go on; another one has.

    Attributes:
        problem: what it lacks, without what to do.

    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"{problem}: deploy a release that has it, or give what replaces it the old name (`label`); "
            "the run then goes on by itself"
        )


def pause_seconds(looks: int) -> int:
    """Return how long to wait after so many looks in vain."""
    return PAUSE_SECONDS << min(looks, _DOUBLINGS_MAX)


def check_fits(name: str, node: BaseNode, strand: Strand) -> None:
    """Check that *node*, which is called *name* now, can go on with the visit that *strand* is in.

    Raises:
        AnotherReleaseError: it is of another kind than the node the visit began at.

    """
    if node.is_flow and (strand.is_prepared or strand.fan is not None):
        raise AnotherReleaseError(f"{name!r} is a flow now, and a run is in it as a node")
    if strand.is_waiting and not isinstance(node, Wait):
        raise AnotherReleaseError(f"{name!r} is no Wait any more, and a run waits there")
