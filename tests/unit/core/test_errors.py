"""Errors as data and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import pytest
from hypothesis import given

from broker_actors.core import errors
from broker_actors.core.errors import (
    ActorError,
    AskTimeoutError,
    BrokerActorsError,
    BrokerUnavailableError,
    BusinessError,
    CallCycleError,
    ConfigurationError,
    ErrorRecord,
    IdempotencyConflictError,
    InvalidArgumentsError,
    MailboxFullError,
    OrderError,
    OutOfTurnError,
    PayloadTooLargeError,
    PlatformError,
    ReplyGoneError,
    StoreUnavailableError,
    SystemFaultError,
    TopologyMismatchError,
    UndeclaredStateError,
    UndecodableError,
    UnknownActorTypeError,
    UnknownMethodError,
    UnroutableError,
    describe,
    revive,
)
from broker_actors.core.reply import of_error, read
from tests.unit.core import strategies as some

BUSINESS = [BusinessError, InvalidArgumentsError, IdempotencyConflictError, CallCycleError]
FAULTS = [SystemFaultError, UnknownMethodError]
PASSING = [BrokerUnavailableError, StoreUnavailableError, UnroutableError, MailboxFullError]
LASTING = [
    PlatformError,
    ConfigurationError,
    UndeclaredStateError,
    TopologyMismatchError,
    UnknownActorTypeError,
    PayloadTooLargeError,
    UndecodableError,
    OutOfTurnError,
    OrderError,
    ReplyGoneError,
]


class OutOfStockError(BusinessError):
    """A user's own refusal."""


@dataclass
class SilentError(BusinessError):
    """A user's refusal with an `__init__` that forgets ours."""

    sku: str


def across_the_wire(error: BaseException) -> BrokerActorsError:
    record = read(of_error(describe(error, "a traceback")))
    assert isinstance(record, ErrorRecord)
    return revive(record)


def test_the_drawn_tree_is_the_tree() -> None:
    drawn, path = set(), ["BrokerActorsError"]
    for line in (errors.__doc__ or "").splitlines():
        before, dashes, after = line.partition("+-- ")
        if dashes:
            depth, name = len(before) // 4, after.split(" ")[0]
            path[depth:] = [name]
            drawn.add((path[depth - 1], name))
    found = {
        (base.__name__, cls.__name__)
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, BrokerActorsError)
        for base in cls.__bases__
        if issubclass(base, BrokerActorsError)
    }
    assert drawn == found


@pytest.mark.parametrize("cls", BUSINESS)
def test_a_business_error_arrives_with_its_class_code_message_and_details(cls: type[BusinessError]) -> None:
    error = across_the_wire(cls("sold_out", "none left", {"sku": "a", "raw": b"\x00"}))
    assert isinstance(error, BusinessError)
    assert type(error) is cls
    assert (error.code, error.message, error.details) == (
        "sold_out",
        "none left",
        {"sku": "a", "raw": b"\x00"},
    )
    assert str(error) == "none left"
    assert (error.remote_type, error.remote_traceback) == (cls.__name__, "a traceback")


@pytest.mark.parametrize("cls", FAULTS)
@pytest.mark.parametrize("recoverable", [True, False])
def test_a_fault_arrives_with_its_class_and_whether_it_may_pass(
    cls: type[SystemFaultError], *, recoverable: bool
) -> None:
    error = across_the_wire(cls("broken", recoverable=recoverable))
    assert isinstance(error, SystemFaultError)
    assert type(error) is cls
    assert (error.error, error.recoverable) == ("broken", recoverable)


@pytest.mark.parametrize("cls", [*PASSING, *LASTING])
def test_a_platform_error_arrives_with_its_class(cls: type[PlatformError]) -> None:
    error = across_the_wire(cls("sorry"))
    assert type(error) is cls
    assert (str(error), error.remote_type) == ("sorry", cls.__name__)


@pytest.mark.parametrize("cls", PASSING)
def test_an_outage_is_worth_another_try(cls: type[PlatformError]) -> None:
    assert describe(cls("away")).recoverable


@pytest.mark.parametrize("error", [*[cls("x") for cls in LASTING], BusinessError("x"), OutOfStockError("x")])
def test_what_a_second_try_would_meet_again_is_not_recoverable(error: BrokerActorsError) -> None:
    assert not describe(error).recoverable


@pytest.mark.parametrize(
    "error", [ValueError("boom"), AskTimeoutError("late"), KeyError("k"), ActorError("odd")]
)
def test_anything_unexpected_is_a_recoverable_fault_that_names_its_class(error: Exception) -> None:
    record = describe(error)
    assert (record.kind, record.type, record.recoverable) == ("SystemFaultError", type(error).__name__, True)
    assert str(revive(record)) == f"{type(error).__name__}: {error}"


def test_a_users_business_error_keeps_its_code_and_details() -> None:
    error = across_the_wire(OutOfStockError("sold_out", details={"sku": "a"}))
    assert isinstance(error, BusinessError)
    assert (error.code, error.message, error.details) == ("sold_out", "sold_out", {"sku": "a"})
    assert (type(error), error.remote_type) == (BusinessError, "OutOfStockError")


@pytest.mark.parametrize(
    "name", ["BusinessError", "UndecodableError", "UnknownMethodError", "InvalidArgumentsError"]
)
def test_a_class_that_merely_shares_a_name_is_an_unexpected_fault(name: str) -> None:
    impostor = type(name, (Exception,), {})
    record = describe(impostor("boom"))
    assert (record.kind, record.type) == ("SystemFaultError", name)
    assert type(revive(record)) is SystemFaultError


def test_a_users_class_cannot_take_the_name_of_another_kind() -> None:
    impostor = type("UnknownMethodError", (BusinessError,), {})
    assert describe(impostor("x")).kind == "BusinessError"


def test_a_business_error_without_our_init_still_says_what_it_is() -> None:
    record = describe(SilentError("sku-1"))
    assert (record.kind, record.code, record.message) == ("BusinessError", "SilentError", "sku-1")


@pytest.mark.parametrize("kind", ["", "NoSuchError", "RateLimitedError"])
def test_a_kind_of_a_newer_release_arrives_as_a_fault(kind: str) -> None:
    error = revive(ErrorRecord(kind, "TheirError", "boom", recoverable=True))
    assert isinstance(error, SystemFaultError)
    assert (str(error), error.recoverable) == ("TheirError: boom", True)


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Colour(Enum):
    RED = 1


def odd_business_error(**attributes: object) -> BusinessError:
    error = BusinessError("code", "message")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    "error",
    [
        UnprintableError(),
        ValueError("\ud800"),
        ValueError("x" * 1_000_000),
        SystemExit(1),
        KeyboardInterrupt(),
        ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
        odd_business_error(code=404),
        odd_business_error(code=Colour.RED, message=None),
        odd_business_error(message=UnprintableError()),
        odd_business_error(details=["a list"]),
        odd_business_error(details={"at": datetime(2026, 1, 1, tzinfo=UTC)}),
        odd_business_error(details={"big": "x" * 2_000_000}),
        odd_business_error(details={"\ud800": 1}),
        odd_business_error(details={"n": 2**64}),
        odd_business_error(details={"n": float("nan")}),
        SystemFaultError("x" * 1_000_000),
        BusinessError("c" * 1_000_000, "m" * 1_000_000),
    ],
    ids=lambda error: type(error).__name__.encode(errors="replace").decode(),
)
@pytest.mark.parametrize("content_type", ["application/msgpack", "application/json"])
def test_whatever_user_code_raises_can_be_described_and_answered(
    error: BaseException, content_type: str
) -> None:
    record = describe(error, "\ud800" + "t" * 1_000_000)
    found = read(of_error(record, content_type))
    assert isinstance(found, ErrorRecord)
    assert found.type
    assert found.message
    assert (found.kind, found.code) == (record.kind, record.code)
    assert len(found.traceback) == 8_000
    assert len(found.message) < 8_200


def test_details_that_cannot_travel_are_left_out_and_said_to_be() -> None:
    error = odd_business_error(details={"at": datetime(2026, 1, 1, tzinfo=UTC)})
    found = across_the_wire(error)
    assert isinstance(found, BusinessError)
    assert found.details == {}
    assert "details cannot be sent: a value of type datetime" in found.message


def test_the_end_of_a_traceback_is_what_is_kept() -> None:
    assert describe(ValueError(), "start" + "." * 8_000 + "end").traceback.endswith("..end")


@given(some.errors)
def test_every_record_revives_and_a_second_trip_changes_nothing(record: ErrorRecord) -> None:
    error = revive(record)
    assert isinstance(error, BrokerActorsError)
    again = revive(describe(error))
    assert type(again) is type(error)
    if isinstance(error, BusinessError) and isinstance(again, BusinessError) and error.code and error.message:
        assert (again.code, again.message, again.details) == (error.code, error.message, error.details)
