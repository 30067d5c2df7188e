"""Which releases have which known problems."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.diagnosis.releases import judge_release, parse
from broker_actors.core.finding import Severity, worst


@pytest.mark.parametrize(
    ("product", "version", "severity"),
    [
        ("RabbitMQ", "3.9.27", Severity.ERROR),
        ("RabbitMQ", "3.10.8", Severity.NOTE),
        ("RabbitMQ", "3.13.7", Severity.NOTE),
        ("RabbitMQ", "4.0.3", Severity.WARNING),
        ("RabbitMQ", "4.0.5", Severity.NOTE),
        ("RabbitMQ", "4.3.0", Severity.ERROR),
        ("RabbitMQ", "4.3.2", Severity.ERROR),
        ("RabbitMQ", "4.3.3", Severity.NOTE),
        ("RabbitMQ", "4.3.4", Severity.WARNING),
        ("RabbitMQ", "4.3.6", Severity.OK),
        ("Redis", "6.2.20", Severity.ERROR),
        ("Redis", "7.0.15", Severity.NOTE),
        ("Redis", "7.2.11", Severity.OK),
        ("Redis", "8.0.3", Severity.NOTE),
        ("Redis", "8.2.2", Severity.OK),
        ("Valkey", "8.1.3", Severity.NOTE),
        ("Valkey", "8.1.4", Severity.OK),
        ("LavinMQ", "2.0.0", Severity.WARNING),
        ("RabbitMQ", "unknown", Severity.WARNING),
        ("", "", Severity.WARNING),
    ],
)
def test_a_release_is_as_good_as_what_is_known_about_it(
    product: str, version: str, severity: Severity
) -> None:
    findings = list(judge_release("release", product, version))
    assert worst(findings) is severity
    assert all(one.fix for one in findings if one.severity > Severity.OK)


@given(st.text())
def test_any_text_may_be_called_a_version(version: str) -> None:
    assert list(judge_release("release", "RabbitMQ", version))


def test_versions_are_read_as_servers_write_them() -> None:
    assert parse("3.10.8") == (3, 10, 8)
    assert parse("4.3.0-rc.1") == (4, 3, 0)
    assert parse("8.1") == (8, 1, 0)
    assert parse("nightly") is None
