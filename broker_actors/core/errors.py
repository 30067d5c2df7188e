"""Every error a user of the platform can meet.

    BrokerActorsError
    +-- PlatformError                    the broker, the store or the configuration
    |   +-- ConfigurationError           a setting or declaration that cannot work
    |   |   +-- UndeclaredStateError     a public attribute without an annotation
    |   |   +-- TopologyMismatchError    the recorded layout differs from the declared
    |   +-- UnknownActorTypeError        nobody has declared this actor type yet
    |   +-- BrokerUnavailableError       no confirm in time: the message may have arrived
    |   +-- StoreUnavailableError        no answer in time: the write may have happened
    |   +-- UnroutableError              the broker has no queue for this message
    |   +-- MailboxFullError             the mailbox, or the outbox to it, is at its bound
    |   +-- PayloadTooLargeError         a body, a state or a reply over its limit
    |   +-- UndecodableError             bytes that are not a valid envelope or body
    |   |   +-- StateUndecodableError    a stored state that does not fit the class
    |   +-- OutOfTurnError               used outside the turn it belongs to
    |   +-- OrderError                   an ask would overtake a pending tell
    |   +-- ReplyGoneError               the recorded reply was already given up
    |   +-- StreamTakenOverError         somebody else reads this stream now
    |   +-- PlaceLostError               the lease of a limiter's place ran out
    |   +-- CircuitOpenError             not tried, as it has failed too often
    +-- ActorError                       what an actor answered
    |   +-- BusinessError                expected; never retried; carries code and details
    |   |   +-- InvalidArgumentsError    the arguments do not fit the method
    |   |   +-- IdempotencyConflictError the same key with another body
    |   |   +-- CallCycleError           A asks B asks A
    |   +-- SystemFaultError             unexpected; rolled back; retried by policy
    |       +-- UnknownMethodError       no such method, or no such type, where it arrived
    |       +-- NewerStateError          the state was written by a newer release than the worker's
    |       +-- ActorSuspendedError      the actor runs nothing until somebody resumes it
    |       +-- CallCancelledError       its caller gave it up
    |       +-- StreamCancelledError     nobody read the stream any more
    |       +-- StreamDivergedError      a generator run again did not yield the same
    +-- AskTimeoutError                  no answer by the deadline (also a TimeoutError)

Errors cross the wire as data (`describe`, `revive`), never as pickled objects: a
name that is not in this tree arrives as its nearest known class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias, cast

#: What JSON and msgpack have in common, and bytes. Recursive, so that core needs no Any.
Plain: TypeAlias = "bool | int | float | str | bytes | Sequence[Plain] | Mapping[str, Plain] | None"
#: Of a message, or of the end of a traceback; four bytes each at the most.
TEXT_CHARACTERS_MAX: Final = 8_000
#: What helps with nearly every URL that cannot be read.
QUOTING: Final = "special characters in its user and password must be percent-encoded"
_NO_DETAILS: Final[Mapping[str, Plain]] = MappingProxyType({})


class BrokerActorsError(Exception):
    """Anything this package raises on purpose.

    Attributes:
        remote_type: name of the exception class raised in the worker; empty for a local error.
        remote_traceback: its traceback as text; empty where there is none.

    """

    remote_type: str = ""
    remote_traceback: str = ""


# --- the platform -----------------------------------------------------------


class PlatformError(BrokerActorsError):
    """The broker, the store, the topology or the configuration is at fault."""


class ConfigurationError(PlatformError):
    """A setting or a declaration that cannot work; the text says what to change."""


class UndeclaredStateError(ConfigurationError):
    """A turn left a public attribute that no annotation declares durable."""


class TopologyMismatchError(ConfigurationError):
    """The layout recorded in the store, or a queue in the broker, is not the declared one."""


class UnknownActorTypeError(PlatformError):
    """No worker or client with the actor's class has ever declared this actor type."""


class BrokerUnavailableError(PlatformError):
    """The broker did not confirm in time. The message may or may not have arrived."""


class StoreUnavailableError(PlatformError):
    """The store did not answer in time. The write may or may not have happened."""


class UnroutableError(PlatformError):
    """The broker returned the message: no queue is bound for it."""


class MailboxFullError(PlatformError):
    """The mailbox refused the message because it is at its bound."""


class PayloadTooLargeError(PlatformError):
    """A body, a state or a reply is larger than its limit."""


class UndecodableError(PlatformError):
    """Bytes or headers that are not a valid envelope, body, reply or state."""


class StateUndecodableError(UndecodableError):
    """An actor's stored state does not fit its class. The actor is suspended, its state untouched."""


class OutOfTurnError(PlatformError):
    """Something was used outside the turn it belongs to."""


class OrderError(PlatformError):
    """An ask would overtake a tell that this turn has not sent yet."""


class ReplyGoneError(PlatformError):
    """The turn ran, but its recorded reply has already been given up."""


class StreamTakenOverError(PlatformError):
    """Another consumer resumed the stream: one at a time reads it."""


class PlaceLostError(PlatformError):
    """The place of a limiter ended before the work it was taken for: somebody else may have begun."""


class CircuitOpenError(PlatformError):
    """A circuit breaker is open: what it guards has failed too often and was not tried."""


# --- what an actor answers --------------------------------------------------


class ActorError(BrokerActorsError):
    """The actor answered with an error."""


class BusinessError(ActorError):
    """An expected refusal. Returned to the caller, never retried, never restarts the actor.

    Args:
        code: a short stable name a program can match on.
        message: what a person should read.
        details: plain values for the program that handles it.

    """

    # For subclasses with an `__init__` of their own that forgets this one.
    code: str = ""
    message: str = ""
    details: Mapping[str, Plain] = _NO_DETAILS

    def __init__(self, code: str, message: str = "", details: Mapping[str, Plain] = _NO_DETAILS) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.details = dict(details)


class InvalidArgumentsError(BusinessError):
    """The arguments do not fit the method's signature or types."""


class IdempotencyConflictError(BusinessError):
    """The idempotency key was used before with another method or body."""


class CallCycleError(BusinessError):
    """The call would wait for an actor that is itself waiting for this call."""


class SystemFaultError(ActorError):
    """An unexpected exception in the actor. Its turn was rolled back.

    Args:
        error: what happened, as text.
        recoverable: whether trying again may help.

    """

    error: str = ""
    recoverable: bool = True

    def __init__(self, error: str, *, recoverable: bool = True) -> None:
        super().__init__(error)
        self.error = error
        self.recoverable = recoverable


class UnknownMethodError(SystemFaultError):
    """No worker that received the message knows its method or its actor type."""


class NewerStateError(SystemFaultError):
    """A newer release wrote the actor's state than this worker runs. It is tried for a while, elsewhere."""


class ActorSuspendedError(SystemFaultError):
    """The actor is suspended: it runs nothing until it is resumed. Nothing of the call was done."""


class CallCancelledError(SystemFaultError):
    """The caller gave the call up; what it had begun was rolled back."""


class StreamCancelledError(SystemFaultError):
    """The generator was stopped, as nobody read what it yielded any more."""


class StreamDivergedError(SystemFaultError):
    """A generator that was run again after a crash yielded something else than before."""


class AskTimeoutError(BrokerActorsError, TimeoutError):
    """No answer by the deadline. The turn may still run, or have run."""


# --- across the wire ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An error as data: what a reply, a dead letter or a history carries. Made by `describe`.

    Attributes:
        kind: class name from this module's tree: `BusinessError`, `SystemFaultError`, ...
        type: name of the exception class raised in the worker.
        message: what a person should read.
        code: the business code; empty for faults.
        details: plain values.
        recoverable: whether trying again may help.
        traceback: the remote traceback, possibly cut.

    """

    kind: str
    type: str
    message: str
    code: str = ""
    details: Mapping[str, Plain] = field(default_factory=lambda: _NO_DETAILS)
    recoverable: bool = False
    traceback: str = ""


_BUSINESS: Final[Mapping[str, type[BusinessError]]] = MappingProxyType(
    {c.__name__: c for c in (BusinessError, InvalidArgumentsError, IdempotencyConflictError, CallCycleError)}
)
_FAULT: Final[Mapping[str, type[SystemFaultError]]] = MappingProxyType(
    {
        c.__name__: c
        for c in (
            SystemFaultError,
            UnknownMethodError,
            NewerStateError,
            ActorSuspendedError,
            CallCancelledError,
            StreamCancelledError,
            StreamDivergedError,
        )
    }
)
_PLATFORM: Final[Mapping[str, type[PlatformError]]] = MappingProxyType(
    {
        c.__name__: c
        for c in (
            PlatformError,
            ConfigurationError,
            UndeclaredStateError,
            TopologyMismatchError,
            UnknownActorTypeError,
            BrokerUnavailableError,
            StoreUnavailableError,
            UnroutableError,
            MailboxFullError,
            PayloadTooLargeError,
            UndecodableError,
            StateUndecodableError,
            OutOfTurnError,
            OrderError,
            ReplyGoneError,
            StreamTakenOverError,
            PlaceLostError,
            CircuitOpenError,
        )
    }
)


def describe(error: BaseException, traceback: str = "") -> ErrorRecord:
    """Return *error* as data. Never raises, whatever user code made of its exception class.

    Anything outside the tree is an unexpected fault and recoverable: the next attempt
    starts from the last commit and may well succeed.
    """
    name = _sendable(type(error).__name__)
    try:
        return _described(error, name, _sendable(traceback[-TEXT_CHARACTERS_MAX:]))
    except BaseException:  # noqa: BLE001 - a user's class may make a property of any attribute read here
        return ErrorRecord("SystemFaultError", name, f"{name}, which cannot be described", recoverable=True)


def _described(error: BaseException, name: str, traceback: str) -> ErrorRecord:
    kind = next((c.__name__ for c in type(error).__mro__ if c in _KINDS), "SystemFaultError")
    match error:
        case BusinessError():
            message, code = _sendable(error.message) or _said(error), _sendable(error.code) or name
            return ErrorRecord(kind, name, message, code, _details(error.details), traceback=traceback)
        case SystemFaultError():
            message, recoverable = _sendable(error.error) or _said(error), error.recoverable is True
        case PlatformError():
            message, recoverable = _said(error), isinstance(error, _PASSING)
        case _:
            message, recoverable = _said(error), True
    return ErrorRecord(kind, name, message, recoverable=recoverable, traceback=traceback)


def revive(record: ErrorRecord) -> BrokerActorsError:
    """Return *record* as an exception of the nearest class this version knows."""
    error: BrokerActorsError
    text = record.message if record.kind == record.type else f"{record.type}: {record.message}"
    if (business := _BUSINESS.get(record.kind)) is not None:
        error = business(record.code, record.message, record.details)
    elif (platform := _PLATFORM.get(record.kind)) is not None:
        error = platform(text)
    else:
        fault = _FAULT.get(record.kind, SystemFaultError)
        error = fault(text, recoverable=record.recoverable)
    error.remote_type, error.remote_traceback = record.type, record.traceback
    return error


def _details(details: object) -> Mapping[str, Plain]:
    return cast("Mapping[str, Plain]", details) if isinstance(details, Mapping) else _NO_DETAILS


def _said(error: BaseException) -> str:
    return _sendable(error) or _sendable(type(error).__name__)


def _sendable(value: object) -> str:
    """Return *value* as text that UTF-8 can carry, cut to its bound; empty if it has no text."""
    try:
        text = str(value)
    except BaseException:  # noqa: BLE001 - the `__str__` of a user's class may raise anything
        return ""
    return text[:TEXT_CHARACTERS_MAX].encode(errors="replace").decode()


#: What waiting may cure, unlike a wrong declaration or a body over its limit.
_PASSING: Final = (
    *(BrokerUnavailableError, StoreUnavailableError, UnroutableError, MailboxFullError),
    *(PlaceLostError, CircuitOpenError),
)
#: The classes that may cross the wire under their own name.
_KINDS: Final = frozenset({*_BUSINESS.values(), *_FAULT.values(), *_PLATFORM.values()})
