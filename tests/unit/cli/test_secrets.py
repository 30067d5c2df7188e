"""A password in a URL is never printed, however the URL is broken."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from broker_actors.cli.app import app

SECRET = "SeCrEt"  # noqa: S105 - what to look for
GOOD_AMQP = "amqp://guest:guest@127.0.0.1:1/"
GOOD_REDIS = "redis://127.0.0.1:1/0"
BROKEN = ["#x", "\uff0fx", "[x", "]x", "?x", "/x", "@x", " x", "%zz"]
COMMANDS = [["ask", "Counter", "c1", "get"], ["doctor", "--json"], ["worker", "workers.counter"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("special", BROKEN)
@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_no_part_of_a_password_is_printed(
    command: list[str], special: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_ACTORS_CONNECT_TIMEOUT_SECONDS", "0.2")
    monkeypatch.setenv("BROKER_ACTORS_STORE_TIMEOUT_SECONDS", "0.2")
    broken = f"{scheme}://user:{SECRET}{special}@127.0.0.1:1/0"
    amqp, redis = (broken, GOOD_REDIS) if scheme == "amqp" else (GOOD_AMQP, broken)
    result = CliRunner().invoke(app, [*command, "--amqp", amqp, "--redis", redis])
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
