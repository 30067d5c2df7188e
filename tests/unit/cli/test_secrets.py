"""A password in a URL is never printed, however the URL is broken."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.transport import MemoryBroker, MemoryTransport
from broker_actors.adapters.rabbitmq.connection import parse_url
from broker_actors.adapters.redis.connection import Link
from broker_actors.adapters.redis.settings import RedisSettings
from broker_actors.bootstrap import backend
from broker_actors.cli.app import app
from broker_actors.core.errors import ConfigurationError
from broker_actors.observability.logs import LoggingObserver

SECRET = "SeCrEt"  # noqa: S105 - what to look for
GOOD_AMQP = "amqp://guest:guest@127.0.0.1:1/"
GOOD_REDIS = "redis://127.0.0.1:1/0"
BROKEN = ["#x", "\uff0fx", "[x", "]x", "?x", "/x", "@x", " x", "%zz"]
COMMANDS = [["ask", "Counter", "c1", "get"], ["doctor", "--json"], ["worker", "workers.counter"]]


class ReachedBroker:
    """A broker that is there."""

    @staticmethod
    async def connect(_url: str, _observer: object, _options: object) -> MemoryTransport:
        return MemoryTransport(MemoryBroker(SystemClock()))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("special", BROKEN)
@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_no_part_of_a_password_is_printed(
    command: list[str], special: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_CONNECT_TIMEOUT_SECONDS", "0.2")
    monkeypatch.setenv("BROKER_ACTORS_STORE_TIMEOUT_SECONDS", "0.2")
    at_fault: tuple[str, ...]
    broken = f"{scheme}://user:{SECRET}{special}@127.0.0.1:1/0"
    if scheme == "amqp":
        amqp, redis, at_fault = broken, GOOD_REDIS, ("broker", "amqp")
    else:
        # Otherwise the broker, which is asked first, would be what is complained of.
        monkeypatch.setattr(backend, "RabbitTransport", ReachedBroker)
        amqp, redis, at_fault = GOOD_AMQP, broken, ("redis",)
    result = CliRunner().invoke(app, [*command, "--amqp", amqp, "--redis", redis])
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
    assert any(word in result.output.lower() for word in at_fault), result.output


#: Where a password ends too early, what is left of it lands in other parts of the URL.
ELSEWHERE = [
    f"12/{SECRET}",
    f"12#{SECRET}",
    f"12?{SECRET}=1",
    f"{SECRET}#x",
    f"{SECRET}\uff0fx",
    f"{SECRET}[x",
]


@pytest.mark.parametrize("password", ELSEWHERE)
@pytest.mark.parametrize("command", ["ask", "demo", "debug"])
def test_no_part_of_a_password_lands_in_another_part_that_is_printed(
    password: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_CONNECT_TIMEOUT_SECONDS", "0.2")
    words = {
        "ask": ["ask", "Counter", "c1", "get", "--amqp", f"amqp://user:{password}@127.0.0.1:1/"],
        "demo": ["demo", "--amqp", GOOD_AMQP, "--redis", f"redis://:{password}@127.0.0.1:1/0"],
        "debug": ["debug", "dump", "--health", f"http://user:{password}@127.0.0.1:1"],
    }
    result = CliRunner().invoke(app, words[command])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output


@pytest.mark.parametrize("password", [f"{SECRET}#x", f"{SECRET}\uff0fx", f"{SECRET}[x", f"12?{SECRET}=1"])
async def test_a_redis_url_that_cannot_be_read_is_not_quoted(password: str) -> None:
    settings = RedisSettings(f"redis://:{password}@127.0.0.1:1/0", 0.2)
    with pytest.raises(ConfigurationError, match="percent-encoded") as caught:
        Link(settings, LoggingObserver(), "test")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"http://:{SECRET}@127.0.0.1:1/0", f"{SECRET}", f"redis:{SECRET}@127.0.0.1"])
async def test_a_redis_url_of_another_kind_is_answered_with_how_one_begins(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must begin with redis://") as caught:
        Link(RedisSettings(url, 0.2), LoggingObserver(), "test")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("vhost", ["", "/", "/%2F", "/shop", "/a%40b"])
def test_a_virtual_host_may_be_called_anything(vhost: str) -> None:
    assert parse_url(f"amqp://user:p%40ss@host:5672{vhost}", 60).password == "p@ss"  # noqa: S105 - made up
