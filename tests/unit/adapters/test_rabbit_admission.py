"""Which refusals of a broker end by themselves, and which a person must cure."""

from __future__ import annotations

import pytest
from aiormq.exceptions import ConnectionClosed, InvalidFrameError, ProbableAuthenticationError
from yarl import URL

from broker_actors.adapters.rabbitmq.admission import refusal_of

SECRET = "SeCrEt"  # noqa: S105 - what to look for
A_BROKER = URL(f"amqp://user:{SECRET}@host:5672/shop")


@pytest.mark.parametrize(
    "error",
    [
        ProbableAuthenticationError("ACCESS_REFUSED - Login was refused"),
        ConnectionClosed(530, "NOT_ALLOWED - vhost shop not found"),
        ConnectionClosed(530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'user'"),
    ],
)
def test_a_refusal_that_stays_is_explained_without_the_password(error: Exception) -> None:
    text = refusal_of(A_BROKER, error)
    assert "'user'" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosed(
            530, "NOT_ALLOWED - access to vhost 'shop' refused: connection limit (1) is reached"
        ),
        ConnectionClosed(530, "NOT_ALLOWED - access refused: vhost 'shop' is down"),
        ConnectionClosed(320, "CONNECTION_FORCED - broker forced connection closure"),
        InvalidFrameError("Expected Tune"),
        ConnectionRefusedError("nobody there"),
        None,
    ],
)
def test_what_may_pass_is_waited_for(error: Exception | None) -> None:
    assert refusal_of(A_BROKER, error) == ""
