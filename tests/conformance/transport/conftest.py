"""The fixtures of the transport's conformance suite: every test runs on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from broker_actors.ports.transport import Transport
from tests.conformance.transport.brokers import (
    ADAPTERS,
    Connect,
    go_by_the_library,
    memory_broker,
    rabbit_broker,
    transports,
)


@pytest.fixture(params=ADAPTERS)
async def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Connect to one empty broker, as often as asked."""
    if request.param == "rabbitmq by the library":
        go_by_the_library(monkeypatch)
    if request.param == "memory":
        open_one = memory_broker()
    else:
        open_one = rabbit_broker(str(request.getfixturevalue("amqp_url")))
    async with transports(open_one) as connect_to_it:
        yield connect_to_it


@pytest.fixture
async def transport(connect: Connect) -> Transport:
    """One connection to an empty broker."""
    return await connect()
