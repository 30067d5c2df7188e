"""What takes turns in the benchmarks: the platform, the drivers below it, and other task queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

OURS: Final = "broker_actors"
AT_LEAST_ONCE: Final = "broker_actors, at_least_once"
EFFECTIVELY_ONCE: Final = "broker_actors, effectively_once"
BOTH: Final = (AT_LEAST_ONCE, EFFECTIVELY_ONCE)
#: What the adapters cost without anything above them.
LIMITS: Final = ("limit, at_least_once", "limit, effectively_once", "limit, effectively_once, committed")
AIO_PIKA: Final = "aio-pika"
AIORMQ: Final = "aiormq"
BARE: Final = "bare round trip"

#: Peer: what must be importable for all that it does here.
_PEERS: Final[Mapping[str, Sequence[str]]] = {
    "Dramatiq": ("dramatiq", "pika"),
    "Celery": ("celery",),
    "Taskiq": ("taskiq", "taskiq_aio_pika", "taskiq_redis"),
    "FastStream": ("faststream",),
}
PEERS: Final = tuple(_PEERS)


def is_present(variant: str) -> bool:
    """Return whether *variant* can take part: the peers are an extra."""
    return all(find_spec(module) is not None for module in _PEERS.get(variant, ()))


def side(variant: str) -> str:
    """Return whose code measures *variant*: a key of `child.MODULES`."""
    if variant == BARE:
        return "bare"
    if variant in LIMITS:
        return "limits committed" if variant.endswith("committed") else "limits"
    return OURS if variant.startswith(OURS) else variant


def actor_type(variant: str, partitions: int) -> str:
    """Return the type whose mailboxes *variant* uses; drivers use those of the plain one."""
    return f"{'Once' if 'effectively_once' in variant else 'Plain'}{partitions}"
