"""The deployment files are well-formed, and agree with each other and with the code."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from broker_actors import Settings
from broker_actors.core import topology
from broker_actors.core.topology import Layout, Queue
from broker_actors.core.wire import BODY_BYTES_MAX
from tests.infra import files
from tests.infra.programs import output_of

_DRAIN = "BROKER_ACTORS_DRAIN_TIMEOUT_SECONDS"
_CLOSING_SECONDS = 30
"""After the drain: what turns have sent is confirmed, connections close, a parent waits for its children."""
_EXPOSURE_MAX = "15"
"""In tenths, as systemd rates a service: 10 is unprotected, below 2 is what it calls OK."""


def test_the_compose_file_is_one() -> None:
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    assert "ok" in output_of(*check, str(files.COMPOSE))


def test_files_that_compose_mounts_exist() -> None:
    sources = {volume.partition(":")[0] for one in files.services().values() for volume in one.volumes}
    mounted = {source for source in sources if source.startswith(".")}
    assert mounted
    assert [source for source in mounted if not (files.INFRA / source).is_file()] == []


def test_compose_opens_ports_to_this_machine_only() -> None:
    ports = [port for service in files.services().values() for port in service.ports]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_broker_store_and_worker_have_health_checks() -> None:
    assert all(service.healthcheck for service in files.services().values())
    worker = files.services()["worker"]
    assert "0.0.0.0:8080" in worker.command
    assert "http://127.0.0.1:8080/ready" in str(worker.healthcheck["test"])


def test_a_worker_may_drain_before_it_is_killed() -> None:
    worker = files.services()["worker"]
    drain_seconds = float(worker.environment[_DRAIN])
    assert (worker.stop_signal, worker.init) == ("SIGTERM", True)
    assert worker.grace_seconds >= drain_seconds + _CLOSING_SECONDS

    unit = files.unit()
    assert (unit["KillSignal"], unit["Restart"]) == ("SIGTERM", "on-failure")
    assert int(unit["TimeoutStopSec"]) >= float(files.unit_environment()[_DRAIN]) + _CLOSING_SECONDS


def test_environments_name_settings_that_exist() -> None:
    given = {*files.services()["worker"].environment, *files.unit_environment()} - {"WORKER_ARGUMENTS"}
    known = {f"BROKER_ACTORS_{name.upper()}" for name in Settings.model_fields}
    assert given <= known


def test_the_unit_takes_its_arguments_from_its_environment() -> None:
    program, *arguments = shlex.split(files.unit()["ExecStart"])
    assert program == "/opt/broker-actors/venv/bin/broker-actors"
    assert arguments == ["worker", "%i", "$WORKER_ARGUMENTS"]
    assert files.unit_environment()["WORKER_ARGUMENTS"].startswith("--health ")


def test_who_looks_into_a_worker_of_the_unit_is_told_where() -> None:
    # Neither the user nor the folder of a person at the shell.
    assert (files.unit()["User"], files.unit()["PrivateTmp"]) == ("broker-actors", "yes")
    place = shlex.split(files.unit_environment()["WORKER_ARGUMENTS"])[1]
    told = (files.ROOT / "docs/how-to/deploying.md").read_text()
    assert f"broker-actors debug dump --health http://{place}\n" in told
    assert "systemctl kill --kill-whom=main --signal=USR1 broker-actors-worker@" in told


def test_what_the_image_is_made_of_exists_and_is_let_in() -> None:
    lines = files.DOCKERFILE.read_text().splitlines()
    copied = [
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    ]
    ignore = files.DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert {"pyproject.toml", "broker_actors", "workers"} <= set(copied)
    for name in copied:
        assert (files.ROOT / name).exists(), name
        assert f"!{name}" in ignore, name
    assert any(line.startswith("USER ") for line in lines)
    # In this form the program itself gets the signals, not a shell.
    assert 'ENTRYPOINT ["broker-actors"]' in lines


@pytest.mark.parametrize("layout", [Layout("Order", 1, 2), Layout("Lamp", 3, 0), Layout("dead", 1, 1)])
def test_policies_bound_mailboxes_and_nothing_that_must_take_all(layout: Layout) -> None:
    definitions = files.definitions()
    mailboxes = layout.mailboxes() or [layout.mailbox_of("any id. at all")]
    assert {definitions.policy_of(mailbox) for mailbox in mailboxes} == {"mailboxes"}
    for declared in [*topology.common(), Queue(topology.dead_queue(layout.type))]:
        if isinstance(declared, Queue):
            assert not definitions.policy_of(declared.name), declared.name


def test_policies_say_nothing_about_what_is_declared() -> None:
    declared = {
        name.removeprefix("x-")
        for declaration in topology.of(Layout("Order"))
        if isinstance(declaration, Queue)
        for name in declaration.arguments
    }
    (mailboxes,) = (policy for policy in files.definitions().policies if policy.name == "mailboxes")
    assert declared
    assert not declared & set(mailboxes.definition)


def test_the_broker_takes_the_largest_body() -> None:
    settings = dict(
        line.split(" = ")
        for line in files.RABBITMQ.read_text().splitlines()
        if " = " in line and line[0] != "#"
    )
    assert int(settings["max_message_size"]) >= BODY_BYTES_MAX


@pytest.mark.verify
def test_systemd_accepts_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze is not None, "infra/install-verifiers installs it"
    units = tmp_path / "etc" / "systemd" / "system"
    program = tmp_path / "opt" / "broker-actors" / "venv" / "bin" / "broker-actors"
    for folder in (units, program.parent, tmp_path / "usr" / "lib" / "systemd"):
        folder.mkdir(parents=True)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    shutil.copy(files.UNIT, units)
    program.touch(mode=0o755)

    on = (f"--root={tmp_path}", "broker-actors-worker@shop.orders.service")
    assert not output_of(analyze, "verify", "--recursive-errors=no", "--man=no", *on)
    assert "exposure level" in output_of(
        analyze, "security", "--offline=yes", f"--threshold={_EXPOSURE_MAX}", *on
    )
