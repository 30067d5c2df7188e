"""With which releases of redis-py answers are read in one go."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import DefaultParser

from broker_actors.adapters.redis import parsing


def test_the_installed_release_is_known() -> None:
    assert parsing.is_known()


@pytest.mark.parametrize(
    ("redis", "parser", "is_known"),
    [
        ("8.1.7", "_AsyncHiredisParser", True),
        ("8.2.0", "_AsyncHiredisParser", False),
        ("9.1.0", "_AsyncHiredisParser", False),
        # Without hiredis.
        ("8.1.0", "_AsyncRESP2Parser", False),
    ],
)
def test_another_release_or_parser_is_not_known(
    monkeypatch: pytest.MonkeyPatch, redis: str, parser: str, *, is_known: bool
) -> None:
    monkeypatch.setattr(parsing, "version", {"redis": redis}.__getitem__)
    monkeypatch.setattr(parsing, "DefaultParser", type(parser, (DefaultParser,), {"__slots__": ()}))
    assert parsing.is_known.__wrapped__() is is_known
