"""The in-process broker refuses what RabbitMQ's client would."""

from __future__ import annotations

import pytest
from hypothesis import given

from broker_actors.adapters.memory.checks import check
from broker_actors.adapters.rabbitmq.delivery import to_properties
from broker_actors.core.errors import PayloadTooLargeError, PlatformError, UndecodableError
from broker_actors.core.wire import WireMessage
from tests.unit.core import strategies as some


@pytest.mark.parametrize("value", [1e300, 2**63, "\ud800", [1e300], {"a": object()}, object()])
def test_a_header_that_cannot_be_written_is_refused(value: object) -> None:
    message = WireMessage({"note": value})
    for refusing in (check, to_properties):
        with pytest.raises(UndecodableError):
            refusing(message)


@pytest.mark.parametrize(
    "message",
    [WireMessage({"n" * 129: 1}), WireMessage({"ä" * 65: 1}), WireMessage(type="t" * 256)],
    ids=["name", "wide name", "property"],
)
def test_what_is_too_long_is_refused(message: WireMessage) -> None:
    for refusing in (check, to_properties):
        with pytest.raises(PayloadTooLargeError):
            refusing(message)


@given(some.rubbish_messages)
def test_what_rabbitmqs_client_sends_is_not_refused(message: WireMessage) -> None:
    try:
        to_properties(message)
    except PlatformError:
        return
    check(message)
