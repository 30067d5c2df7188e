"""What stands in the broker, against what `core.topology` declares."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from broker_actors.core import topology
from broker_actors.core.finding import Finding, Severity, some
from broker_actors.core.topology import ACTORS, DEAD, PROBE, Binding, Declaration, Exchange, Layout, Queue

_CHECK: Final = "broker.topology"


class State(Enum):
    """How a declared exchange or queue stands in the broker."""

    AS_DECLARED = auto()
    MISSING = auto()
    #: It exists with other arguments.
    DIFFERENT = auto()
    #: It exists; whether its arguments are right cannot be seen.
    UNSEEN = auto()
    #: The broker knows it and does not answer: a quorum queue without a leader.
    SILENT = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """A declared exchange or queue, and how it stands.

    Attributes:
        declared: what it should be.
        state: how it stands.
        detail: what differs, in words.
        messages: of a queue: ready ones.
        consumers: of a queue.

    """

    declared: Exchange | Queue
    state: State
    detail: str = ""
    messages: int = 0
    consumers: int = 0

    @property
    def name(self) -> str:
        """The name of the exchange or queue."""
        return self.declared.name

    @property
    def exists(self) -> bool:
        """Whether the broker has it."""
        return self.state is not State.MISSING


@dataclass(frozen=True, slots=True)
class Leftover:
    """A queue with a name of ours that no layout in use has."""

    name: str
    messages: int
    consumers: int


def expected(layouts: Collection[Layout], spawned: Mapping[str, Sequence[str]]) -> list[Declaration]:
    """Return everything that *layouts* and what is common to all have.

    Args:
        layouts: of the types in use.
        spawned: by type, the ids that have a dedicated mailbox.

    """
    wanted: list[Declaration] = [*topology.common()]
    for layout in layouts:
        wanted += topology.of(layout)
        for actor_id in spawned.get(layout.type, ()):
            wanted += topology.dedicated(layout, actor_id)
    return wanted


def judge_standing(standings: Sequence[Standing], in_use: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with exchanges and queues.

    Args:
        standings: all that should exist.
        in_use: names of those that somebody has declared before, so that a missing one was lost.

    """
    missing = _names(standings, State.MISSING)
    yield from _missing([name for name in missing if name in in_use])
    yield from _not_yet([name for name in missing if name not in in_use], len(standings))
    for one in standings:
        if one.state is State.DIFFERENT:
            kind = "queue" if isinstance(one.declared, Queue) else "exchange"
            text = f"{kind} {one.name} has other arguments than declared: {one.detail}"
            fix = (
                f"settle which one is right; to change the broker, empty and delete the {kind} "
                "while no worker runs, and start one, or use a new layout generation"
            )
            yield Finding(_CHECK, Severity.ERROR, text, fix)
    if silent := _names(standings, State.SILENT):
        text = f"no answer about {some(silent)}: a quorum queue has no leader, or the broker is overloaded"
        fix = "see `rabbitmq-queues quorum_status NAME`, and bring back nodes that are down"
        yield Finding(_CHECK, Severity.ERROR, text, fix)
    if unseen := _names(standings, State.UNSEEN):
        text = (
            f"whether the arguments of {some(unseen)} are right cannot be seen without configure permission"
        )
        fix = "pass --management, or run this as a user who has it"
        yield Finding(_CHECK, Severity.NOTE, text, fix)
    if standings and all(one.state is State.AS_DECLARED for one in standings):
        yield Finding(_CHECK, Severity.OK, f"{len(standings)} exchanges and queues are as declared")


def judge_bindings(missing: Sequence[Binding]) -> Iterator[Finding]:
    """Yield a finding about bindings that should be there between what exists, and are not."""
    if missing:
        names = some(
            f"{binding.source} -> {binding.target} ({binding.key or 'any key'})" for binding in missing
        )
        text = f"bindings are missing: {names}: what is sent that way is refused"
        yield Finding(_CHECK, Severity.ERROR, text, "start a worker of the type: it declares them")


def judge_workers(layout: Layout, standings: Sequence[Standing]) -> Iterator[Finding]:
    """Yield a note if nobody consumes mailboxes of *layout*; *standings* are those of its mailboxes."""
    idle = [one for one in standings if one.exists and not one.consumers]
    if not idle:
        return
    waiting = sum(one.messages for one in idle)
    text = f"no worker consumes {len(idle)} of {len(standings)} mailboxes of {layout.type}"
    if waiting:
        text += f", where {waiting} messages wait"
    yield Finding("broker.workers", Severity.NOTE, text, f"start a worker that runs {layout.type}")


def judge_leftovers(leftovers: Sequence[Leftover]) -> Iterator[Finding]:
    """Yield findings about queues of layouts that are not in use any more."""
    if full := [one for one in leftovers if one.messages]:
        waiting = sum(one.messages for one in full)
        text = f"{waiting} messages wait in queues of layouts not in use: {some(one.name for one in full)}"
        fix = "run a worker of the release that had this layout until they are empty, then delete the queues"
        yield Finding("broker.leftovers", Severity.WARNING, text, fix)
    if empty := [one.name for one in leftovers if not one.messages]:
        text = f"empty queues of layouts not in use: {some(empty)}"
        yield Finding(
            "broker.leftovers", Severity.NOTE, text, "delete them with `rabbitmqctl delete_queue NAME`"
        )


def is_leftover(name: str, layouts: Collection[Layout], expected: Collection[str]) -> bool:
    """Return whether *name* is of the platform's kind, but neither expected nor a dedicated mailbox."""
    if not name.startswith(f"{ACTORS}.") or name in expected:
        return False
    dedicated = [f"{ACTORS}.{one.type}.g{one.generation}.id." for one in layouts if one.dedicated]
    # Dead letters of a type that is gone are still somebody's, and listed by their own command; a queue of
    # probes is that of a worker that runs, or goes by itself.
    return not name.startswith((f"{DEAD}.", f"{PROBE}.", *dedicated))


def _missing(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        text = f"{some(names)} should exist and does not: what is sent there is refused"
        yield Finding(_CHECK, Severity.ERROR, text, "start a worker of the type: it declares what is missing")


def _not_yet(names: Sequence[str], of: int) -> Iterator[Finding]:
    if names:
        what = "nothing is" if len(names) >= of else f"{some(names)} is not"
        yield Finding(
            _CHECK, Severity.NOTE, f"{what} declared yet", "start a worker: the first one declares it"
        )


def _names(standings: Sequence[Standing], state: State) -> list[str]:
    return [one.name for one in standings if one.state is state]
