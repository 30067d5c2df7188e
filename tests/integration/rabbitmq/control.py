"""What only the operator of a broker can do: raise alarms, change settings while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RabbitServer, command

# Debian's rabbitmqctl insists on the user rabbitmq; the script behind it runs as anyone.
_SCRIPT_OF_DISTRIBUTIONS = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
_ANSWER_SECONDS = 60

MEMORY_ALARM = "{{resource_limit, memory, node()}, []}"


@pytest.fixture
def controlled_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RabbitServer]:
    """A private RabbitMQ that `evaluate` reaches: always the installed one, whatever the run is about."""
    if command.RABBITMQ not in os.environ:
        yield request.getfixturevalue("rabbit_server")
        return
    monkeypatch.delenv(command.RABBITMQ)
    with RabbitServer(in_memory=True) as server:
        yield server


def evaluate(server: RabbitServer, expression: str) -> str:
    """Evaluate an Erlang expression in the broker."""
    program = _SCRIPT_OF_DISTRIBUTIONS if _SCRIPT_OF_DISTRIBUTIONS.exists() else shutil.which("rabbitmqctl")
    environment = server._environment()
    run = subprocess.run(  # noqa: S603 - the developer's own program
        [str(program), "-n", environment["RABBITMQ_NODENAME"], "eval", f"{expression}."],
        env=environment,
        capture_output=True,
        check=True,
        timeout=_ANSWER_SECONDS,
        text=True,
    )
    return run.stdout.strip()
