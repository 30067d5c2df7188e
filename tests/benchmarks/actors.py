"""The actors that are measured: the least work a method can do, in each delivery.

A type's partition count is fixed, so there is one type for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker_actors import Ref, actor, method


def ignore(_number: int) -> None:
    """Do nothing: the effect where only the reply counts."""


class Work:
    """What the `at_least_once` actors do, set by the process that runs them."""

    effect: Callable[[int], None] = ignore


@actor(partitions=1, delivery="at_least_once")
class Plain1:
    """At least once, one mailbox."""

    @method
    def add(self, n: int) -> int:
        """Take effect."""
        Work.effect(n)
        return n


@actor(partitions=8, delivery="at_least_once")
class Plain8:
    """At least once, eight mailboxes."""

    @method
    def add(self, n: int) -> int:
        """Take effect."""
        Work.effect(n)
        return n


@actor(partitions=1)
class Once1:
    """Effectively once, one mailbox."""

    total: int = 0

    @method
    def add(self, n: int) -> int:
        """Take effect, in durable state."""
        Work.effect(n)
        self.total += n
        return n


@actor(partitions=8)
class Once8:
    """Effectively once, eight mailboxes."""

    total: int = 0

    @method
    def add(self, n: int) -> int:
        """Take effect, in durable state."""
        Work.effect(n)
        self.total += n
        return n


class Plain1Ref(Plain1, Ref):
    """Handle on `Plain1`."""


class Plain8Ref(Plain8, Ref):
    """Handle on `Plain8`."""


class Once1Ref(Once1, Ref):
    """Handle on `Once1`."""


class Once8Ref(Once8, Ref):
    """Handle on `Once8`."""


AnyRef = Plain1Ref | Plain8Ref | Once1Ref | Once8Ref

ACTORS: Final[dict[str, type]] = {cls.__name__: cls for cls in (Plain1, Plain8, Once1, Once8)}
REFS: Final[dict[str, type[AnyRef]]] = {
    "Plain1": Plain1Ref,
    "Plain8": Plain8Ref,
    "Once1": Once1Ref,
    "Once8": Once8Ref,
}
