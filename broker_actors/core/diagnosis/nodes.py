"""The broker's nodes: alarms, partitions, and how long a turn may take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from broker_actors.core.diagnosis.policies import Policy, consumer_timeout_ms
from broker_actors.core.finding import Finding, Severity, some
from broker_actors.core.topology import Queue

#: What RabbitMQ waits for an acknowledgement unless told otherwise.
CONSUMER_TIMEOUT_SECONDS: Final = 1_800.0
_HOW_TO_LOOK: Final = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the broker, as its management API shows it.

    Attributes:
        name: `rabbit@host`.
        running: whether it is up.
        alarms: what it is short of: `memory`, `disk`.
        partitioned_from: nodes it has lost sight of.

    """

    name: str
    running: bool = True
    alarms: Sequence[str] = ()
    partitioned_from: Sequence[str] = ()


def judge_alarms(nodes: Sequence[Node], *, blocked: bool) -> Iterator[Finding]:
    """Yield findings about a broker that takes no messages, or is not whole.

    Args:
        nodes: empty if nobody could ask.
        blocked: whether it stopped reading from a connection that published.

    """
    short = [f"{alarm} on {node.name}" for node in nodes for alarm in node.alarms]
    if short or blocked:
        of = some(short) or "memory or disk"
        text = f"the broker is short of {of} and takes no messages: every publish waits"
        fix = "free memory or disk, or raise vm_memory_high_watermark or lower disk_free_limit"
        yield Finding("broker.alarms", Severity.ERROR, text, fix)
    elif nodes:
        yield Finding("broker.alarms", Severity.OK, "no alarm of memory or disk")
    if apart := [node.name for node in nodes if node.partitioned_from]:
        text = f"the cluster is partitioned: {some(apart)} lost sight of other nodes"
        fix = "restart the nodes of the smaller side; see cluster_partition_handling"
        yield Finding("broker.nodes", Severity.ERROR, text, fix)
    if down := [node.name for node in nodes if not node.running]:
        text = f"nodes are down: {some(down)}; with too few left, quorum queues stop"
        yield Finding("broker.nodes", Severity.WARNING, text, "bring them back, or forget_cluster_node")


def judge_consumer_timeout(
    queues: Sequence[Queue], policies: Collection[Policy] | None, longest_seconds: float
) -> Finding:
    """Return whether the broker waits as long for an acknowledgement as turns may take.

    Args:
        queues: those that workers consume.
        policies: None if they could not be seen.
        longest_seconds: how long a caller waits for a turn: the default deadline of asks.

    """
    check = "broker.consumer_timeout"
    seen = {queue.name: consumer_timeout_ms(queue, tuple(policies or ())) for queue in queues}
    short = [name for name, ms in seen.items() if ms is not None and ms / 1000 <= longest_seconds]
    advice = (
        f"set it well above the longest turn, also those of tells, which have no deadline; {_HOW_TO_LOOK}"
    )
    if short:
        seconds = min(ms for ms in seen.values() if ms is not None) / 1000
        text = (
            f"a policy has the broker take back deliveries after {seconds:g} s on {some(short)}, and an ask "
            f"may take {longest_seconds:g} s: its turn would be interrupted, and run again"
        )
        return Finding(check, Severity.ERROR, text, advice)
    if seen and all(ms is not None for ms in seen.values()):
        text = (
            f"the broker waits longer for an acknowledgement than asks do for a turn ({longest_seconds:g} s)"
        )
        return Finding(check, Severity.OK, text)
    text = (
        "how long the broker lets a delivery be worked on cannot be seen from here; "
        f"by default it is {CONSUMER_TIMEOUT_SECONDS:g} s, and asks wait up to {longest_seconds:g} s"
    )
    severity = Severity.WARNING if longest_seconds >= CONSUMER_TIMEOUT_SECONDS else Severity.NOTE
    return Finding(check, severity, text, advice)
