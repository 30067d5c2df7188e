"""The deployment files, and what tests read out of them."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parents[2]
INFRA: Final = ROOT / "infra"
COMPOSE: Final = INFRA / "compose.yaml"
UNIT: Final = INFRA / "systemd" / "broker-actors-worker@.service"
UNIT_ENVIRONMENT: Final = INFRA / "systemd" / "worker.env.example"
RABBITMQ: Final = INFRA / "rabbitmq" / "rabbitmq.conf"
DEFINITIONS: Final = INFRA / "rabbitmq" / "definitions.json"
REDIS: Final = INFRA / "redis" / "redis.conf"
DOCKERFILE: Final = INFRA / "Dockerfile"

_DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")


class Service(BaseModel):
    """What the tests look at in a service of the compose file."""

    image: str = ""
    command: list[str] = []
    volumes: list[str] = []
    environment: dict[str, str] = {}
    healthcheck: dict[str, object] = {}
    ports: list[str] = []
    stop_grace_period: str = ""
    stop_signal: str = ""
    init: bool = False

    @property
    def grace_seconds(self) -> int:
        """How long it may take to stop."""
        found = re.fullmatch(r"(\d+)s", self.stop_grace_period)
        assert found is not None, self.stop_grace_period
        return int(found[1])

    def variable(self, name: str) -> str:
        """Return an environment variable, where nothing overrides the default in the file."""
        return _DEFAULT.sub(r"\1", self.environment[name])


class _Compose(BaseModel):
    services: dict[str, Service]


class Policy(BaseModel):
    """One policy of the definitions."""

    name: str
    pattern: str
    definition: dict[str, str | int]


class Definitions(BaseModel):
    """What the tests look at in the definitions."""

    policies: list[Policy]

    def policy_of(self, queue: str) -> str:
        """Return the name of the policy that the broker applies to *queue*; empty for none."""
        names = [policy.name for policy in self.policies if re.search(policy.pattern, queue)]
        assert len(names) <= 1, f"{queue}: which of {names} counts is up to their priorities"
        return names[0] if names else ""


def services() -> dict[str, Service]:
    """Return the services of the compose file."""
    return _Compose.model_validate(YAML(typ="safe").load(COMPOSE)).services


def definitions() -> Definitions:
    """Return what the broker is to import."""
    return Definitions.model_validate_json(DEFINITIONS.read_bytes())


def unit() -> configparser.SectionProxy:
    """Return the service section of the systemd unit; of a repeated option, the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as typeshed says to
    parser.read(UNIT)
    return parser["Service"]


def unit_environment() -> dict[str, str]:
    """Return the variables of the example for the unit."""
    lines = UNIT_ENVIRONMENT.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
