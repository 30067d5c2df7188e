"""Nodes that wait for somebody outside: a person, a webhook, another system.

A durable flow stands still at such a node until its promise is completed, by whoever knows the promise
and from any process, or until it has waited too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.errors import ConfigurationError
from broker_actors.flow.attempts import Attempts
from broker_actors.flow.graph import BaseNode, Value

_NODE: Final = "#"
_VISIT: Final = "@"
#: More steps than these has no run.
_DIGITS_MAX: Final = 18
#: Of what is no promise, in an error.
_SHOWN_CHARACTERS: Final = 100


class Wait(Attempts, BaseNode):
    """A node whose result comes from outside.

    In a durable flow `prep` runs once and may tell somebody the `promise`; `post` gets what it was completed
    with. After `timeout` seconds `exec_fallback` decides, and by default the flow fails with `TimeoutError`.
    Elsewhere nothing can come from outside: override `exec` to run it there.

    Attributes:
        promise: in `prep` of a durable flow, what completes this visit; see `complete`.

    """

    promise: str = ""

    def __init__(self, timeout: float | None = None) -> None:
        super().__init__()
        self.timeout = timeout

    def exec(self, prep_res: Value) -> Value:  # noqa: ARG002 - for those who override
        """Refuse.

        Raises:
            ConfigurationError: always.

        """
        text = (
            f"{type(self).__name__} waits for somebody outside, which only a durable flow can: "
            "run it as a DurableFlow, or override `exec`"
        )
        raise ConfigurationError(text)

    def accept(self, value: Value) -> Value:
        """Return what to keep of *value*, which somebody completes the promise with.

        Raises:
            BusinessError: it will not do; whoever sent it is told, and the flow goes on waiting.

        """
        return value


@dataclass(frozen=True, slots=True)
class Promise:
    """What a waiting flow waits for: `Documents/d1#Approve@7`.

    Attributes:
        flow: the flow's address.
        node: the name of the node.
        visit: the step of the one visit that is meant; 0 for whichever comes first.

    """

    flow: Address
    node: str
    visit: int = 0

    def __str__(self) -> str:
        """Return the promise as people and other systems pass it on."""
        return f"{self.flow}{_NODE}{self.here}"

    @property
    def here(self) -> str:
        """The promise without its flow: `Approve@7`."""
        return f"{self.node}{_VISIT}{self.visit}" if self.visit else self.node


def read_promise(text: str) -> Promise:
    """Return *text* as a promise.

    Raises:
        ConfigurationError: it is none.

    """
    address, _, here = text.rpartition(_NODE)
    actor_type, _, actor_id = address.partition("/")
    node, visit = read_visit(here)
    if not (actor_type and actor_id and node):
        raise ConfigurationError(
            f"{text!r} is no promise: one looks like Documents/d1{_NODE}Approve{_VISIT}7"
        )
    return Promise(Address(actor_type, actor_id), node, visit)


def read_visit(here: str) -> tuple[str, int]:
    """Return the node and the visit of a promise without its flow, such as `Approve@7` or `Approve`.

    Raises:
        ConfigurationError: the visit is no number.

    """
    node, _, visit = here.partition(_VISIT)
    if visit and not (visit.isascii() and visit.isdecimal() and len(visit) <= _DIGITS_MAX):
        shown = repr(here[:_SHOWN_CHARACTERS])
        raise ConfigurationError(f"{shown} is no promise: what is behind {_VISIT} is no number of a step")
    return node, int(visit or 0)
