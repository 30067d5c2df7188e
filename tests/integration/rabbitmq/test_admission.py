"""A broker that does not let us in is told from one that is away, at once and with what to do."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

import pytest

from broker_actors.core.errors import ConfigurationError
from tests.conformance.transport.brokers import HANG_SECONDS
from tests.integration.rabbitmq.support import open_transport

#: Far more than it takes, and less than a connection is waited for.
AT_ONCE_SECONDS = HANG_SECONDS / 2


async def refusal_of(url: str) -> str:
    """Return what is said when *url* is refused, without waiting for the deadline of connecting."""
    with pytest.raises(ConfigurationError) as caught:
        async with asyncio.timeout(AT_ONCE_SECONDS), open_transport(url, timeout_seconds=HANG_SECONDS):
            pass
    return str(caught.value)


async def test_a_wrong_password_is_refused_at_once(amqp_url: str) -> None:
    parts = urlsplit(amqp_url)
    place = f"{parts.hostname}:{parts.port}"
    text = await refusal_of(urlunsplit(parts._replace(netloc=f"guest:wrong@{place}")))
    assert f"the broker at {place} refuses the login of user 'guest'" in text
    assert "Check user and password in the broker's URL" in text


async def test_a_virtual_host_that_does_not_exist_is_refused_at_once(amqp_url: str) -> None:
    text = await refusal_of(urlunsplit(urlsplit(amqp_url)._replace(path="/nowhere")))
    assert "cannot use virtual host 'nowhere'" in text
    assert "rabbitmqctl list_vhosts" in text
