"""The options of `@actor`, as users write them and as the platform reads them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypedDict, cast, get_args

from broker_actors.actor.durations import Duration, seconds
from broker_actors.core.address import check_type
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import Retry
from broker_actors.core.stored import STATE_VERSION_MAX
from broker_actors.core.supervision import (
    RESTART_BACKOFF_SECONDS_MAX,
    RESTART_WINDOW_SECONDS_MAX,
    RESTARTS_MAX,
    Restarts,
)
from broker_actors.core.topology import PARTITIONS_MAX

Mailbox: TypeAlias = Literal["shared", "dedicated"]
Delivery: TypeAlias = Literal["effectively_once", "at_least_once"]
OnFailure: TypeAlias = Literal["skip", "block"]
RestartPolicy: TypeAlias = Literal["never", "on_failure"]
Codec: TypeAlias = Literal["msgpack", "json"]


class OptionsGiven(TypedDict, total=False):
    """What `@actor(...)` accepts; durations are seconds or a timedelta. Defaults: see `Options`."""

    name: str
    partitions: int
    generation: int
    mailbox: Mailbox
    delivery: Delivery
    idle_timeout: Duration
    on_failure: OnFailure
    retry: Retry
    restart_policy: RestartPolicy
    max_restarts: int
    min_backoff: Duration
    max_backoff: Duration
    restart_window: Duration
    codec: Codec
    key_retention: Duration
    state_version: int


_RETRY: Final = Retry()
#: Ten years.
KEY_RETENTION_SECONDS_MAX: Final = 10 * 366 * 86_400
_CONTENT_TYPES: Final = MappingProxyType({"msgpack": MSGPACK, "json": JSON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How actors of one type live.

    Attributes:
        name: the actor type; empty for the name of the class.
        partitions: shared mailboxes of the type.
        generation: which layout of the type this is, from 1.
        mailbox: whether ids share the partitions, or each has a queue of its own.
        delivery: `at_least_once` saves the store's round trip and has no durable state.
        idle_timeout_seconds: an activation unused for this long is dropped from memory.
        on_failure: whether an actor's later messages pass a failed one, or wait for it.
        retry: how failed turns are tried again.
        restart_policy: whether faults count towards the suspension of the actor.
        max_restarts: faults in a window that are survived; the next one suspends the actor.
        min_backoff_seconds: bound of the wait after the first fault of a window.
        max_backoff_seconds: bound of every wait between a fault and the next run.
        restart_window_seconds: how long a fault counts.
        codec: how calls through a ref of this class travel; None for the caller's default.
        key_retention_seconds: how long a keyed call's reply is kept for its duplicates.
        state_version: of what the class stores, from 1; raised when old states need its `migrate`.

    """

    name: str = ""
    partitions: int = 8
    generation: int = 1
    mailbox: Mailbox = "shared"
    delivery: Delivery = "effectively_once"
    idle_timeout_seconds: float = 300.0
    on_failure: OnFailure = "skip"
    retry: Retry = _RETRY
    restart_policy: RestartPolicy = "never"
    max_restarts: int = 5
    min_backoff_seconds: float = 0.2
    max_backoff_seconds: float = 10.0
    restart_window_seconds: float = 60.0
    codec: Codec | None = None
    key_retention_seconds: int = 86_400
    state_version: int = 1

    @property
    def restarts(self) -> Restarts | None:
        """How its faults are counted; None if they are not."""
        if self.restart_policy == "never":
            return None
        backoff = (self.min_backoff_seconds, self.max_backoff_seconds)
        return Restarts(self.max_restarts, self.restart_window_seconds, *backoff)

    @property
    def content_type(self) -> str:
        """The content type of `codec`; empty for the caller's default."""
        return "" if self.codec is None else _CONTENT_TYPES[self.codec]


_CHOICES: Final = MappingProxyType(
    {
        "mailbox": get_args(Mailbox),
        "delivery": get_args(Delivery),
        "on_failure": get_args(OnFailure),
        "restart_policy": get_args(RestartPolicy),
        "codec": get_args(Codec),
    }
)
_BOUNDS: Final = MappingProxyType(
    {
        "partitions": (1, PARTITIONS_MAX),
        "generation": (1, 2**31 - 1),
        "max_restarts": (0, RESTARTS_MAX),
        "state_version": (1, STATE_VERSION_MAX),
    }
)
_DURATIONS: Final = frozenset(
    {"idle_timeout", "key_retention", "max_backoff", "min_backoff", "restart_window"}
)


def options_of(owner: str, given: OptionsGiven) -> Options:
    """Return *given*, checked, with the defaults of the rest.

    Args:
        owner: the class, for errors.
        given: the keyword arguments of `@actor`.

    Raises:
        ConfigurationError: one is unknown or cannot be; the text names the class and the option.

    """
    read: dict[str, Any] = {}
    for name, value in given.items():
        read[f"{name}_seconds" if name in _DURATIONS else name] = _read(owner, name, value)
    options = Options(**read)
    _check_restarts(owner, options)
    if not 1 <= options.key_retention_seconds <= KEY_RETENTION_SECONDS_MAX:
        wanted = f"from 1 to {KEY_RETENTION_SECONDS_MAX} seconds"
        raise _refusal(owner, "key_retention", options.key_retention_seconds, wanted)
    if options.mailbox == "dedicated" and "partitions" in given:
        raise _refusal(owner, "partitions", options.partitions, "left out, as dedicated mailboxes have none")
    return options


def _check_restarts(owner: str, options: Options) -> None:
    if options.min_backoff_seconds > options.max_backoff_seconds:
        wanted = f"at most max_backoff={options.max_backoff_seconds}"
        raise _refusal(owner, "min_backoff", options.min_backoff_seconds, wanted)
    if options.max_backoff_seconds > RESTART_BACKOFF_SECONDS_MAX:
        wanted = f"at most {RESTART_BACKOFF_SECONDS_MAX:g} seconds"
        raise _refusal(owner, "max_backoff", options.max_backoff_seconds, wanted)
    if not 0 < options.restart_window_seconds <= RESTART_WINDOW_SECONDS_MAX:
        wanted = f"more than 0 and at most {RESTART_WINDOW_SECONDS_MAX:g} seconds"
        raise _refusal(owner, "restart_window", options.restart_window_seconds, wanted)
    if options.restart_policy == "on_failure" and options.delivery == "at_least_once":
        wanted = "'never' with delivery='at_least_once': what is suspended is written down in the store"
        raise _refusal(owner, "restart_policy", options.restart_policy, wanted)


def _read(owner: str, name: str, value: object) -> object:
    if name in _CHOICES:
        return _choice(owner, name, value)
    if name in _BOUNDS:
        return _whole(owner, name, value)
    if name in _DURATIONS:
        length_seconds = seconds(cast("Duration", value), f"{owner}: {name}")
        # Rounded up, as a record kept too briefly would let a duplicate run.
        return ceil(length_seconds) if name == "key_retention" else length_seconds
    match name, value:
        case "retry", Retry():
            return value
        case "retry", _:
            raise _refusal(owner, name, value, "a Retry(...)")
        case "name", str():
            return check_type(value)
        case "name", _:
            raise _refusal(owner, name, value, "the name of the actor type")
        case _:
            known = ", ".join(sorted(OptionsGiven.__annotations__))
            text = f"{owner}: @actor has no option {name!r}; it has {known}"
            raise ConfigurationError(text)


def _choice(owner: str, name: str, value: object) -> object:
    if value not in _CHOICES[name]:
        raise _refusal(owner, name, value, " or ".join(repr(choice) for choice in _CHOICES[name]))
    return value


def _whole(owner: str, name: str, value: object) -> int:
    low, high = _BOUNDS[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _refusal(owner, name, value, f"a whole number from {low} to {high}")
    return value


def _refusal(owner: str, name: str, value: object, wanted: str) -> ConfigurationError:
    text = f"{owner}: {name}={value!r} must be {wanted}"
    return ConfigurationError(text)
