from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable

import pytest

from broker_actors import ActorSystem, Worker, actor, method
from broker_actors.core.address import Address
from broker_actors.core.events import Connected, ConnectionLost, ConsumerLost, TurnEnded
from broker_actors.observability.daemon import LogFormat, daemon_logs
from broker_actors.observability.logs import LoggingObserver

LOGGER = logging.getLogger("shop.stock")

Lines = Callable[[], list[str]]


@actor
class Talker:
    count: int = 0

    @method
    def say(self, text: str) -> None:
        LOGGER.info("heard %s", text, extra={"shelf": 3})

    @method.options(run_in="thread")
    def say_in_thread(self, text: str) -> None:
        LOGGER.info("heard %s", text)

    @method
    def blame(self) -> None:
        LOGGER.warning("mine", extra={"actor": "somebody else", "level": "odd"})


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


@pytest.mark.parametrize("name", ["say", "say_in_thread"])
async def test_a_record_of_the_users_own_logger_names_the_turn(name: str, lines: Lines) -> None:
    with daemon_logs(LogFormat.JSON, logging.INFO):
        async with ActorSystem.connect("memory://") as system, Worker(system, Talker):
            ref = system.ref("Talker", "t1").with_options(idempotency_key="order-42")
            await ref.call(name, "hello")
            LOGGER.info("outside")
    inside, outside = (fields for line in lines() if (fields := json.loads(line))["logger"] == LOGGER.name)
    assert (inside["message"], inside["level"]) == ("heard hello", "INFO")
    assert (inside["actor"], inside["method"]) == ("Talker/t1", name)
    assert (inside["message_id"], inside["attempt"]) == ("k:order-42", 1)
    assert inside["time"].endswith("Z")
    assert not {"actor", "method", "message_id", "attempt"} & set(outside)


async def test_what_a_record_brings_along_is_kept_and_hides_nothing(lines: Lines) -> None:
    with daemon_logs(LogFormat.JSON, logging.INFO):
        async with ActorSystem.connect("memory://") as system, Worker(system, Talker):
            await system.ref("Talker", "t1").call("blame")
    (fields,) = (one for line in lines() if (one := json.loads(line))["logger"] == LOGGER.name)
    assert (fields["actor"], fields["method"]) == ("somebody else", "blame")
    assert (fields["level"], fields["level_"]) == ("WARNING", "odd")


def test_events_are_objects_with_their_fields(lines: Lines) -> None:
    with daemon_logs(LogFormat.JSON, logging.INFO):
        LoggingObserver().observe(
            TurnEnded(Address("Talker", "t1"), "say", "n:web:1", "retried", 2, "OSError: jam", 0.5)
        )
    (line,) = lines()
    fields = json.loads(line)
    assert (fields["event"], fields["actor"], fields["method"]) == ("TurnEnded", "Talker/t1", "say")
    assert (fields["outcome"], fields["attempt"], fields["seconds"]) == ("retried", 2, 0.5)


@pytest.mark.parametrize("odd", [math.nan, {(1, 2): 3}, object()], ids=["nan", "key", "object"])
def test_whatever_is_logged_is_one_line_of_json(odd: object, lines: Lines) -> None:
    error = ValueError("two\nlines")
    with daemon_logs(LogFormat.JSON, logging.INFO):
        LOGGER.error("failed\nhere", exc_info=error, extra={"odd": odd})
    (line,) = lines()
    fields = json.loads(line, parse_constant=pytest.fail)
    assert fields["message"] == "failed\nhere"
    assert fields["exception"].endswith("ValueError: two\nlines")


async def test_a_line_for_people_ends_with_the_turn(lines: Lines) -> None:
    with daemon_logs(LogFormat.TEXT, logging.INFO):
        async with ActorSystem.connect("memory://") as system, Worker(system, Talker):
            ref = system.ref("Talker", "t1").with_options(idempotency_key="order-42")
            await ref.call("say", "hello")
        LOGGER.info("outside")
    inside, outside = (line for line in lines() if "INFO heard" in line or "outside" in line)
    assert inside.endswith("INFO heard hello [Talker/t1.say k:order-42 #1]")
    assert outside.endswith("INFO outside")


@pytest.mark.parametrize("log_format", LogFormat)
def test_only_we_report_a_lost_connection(log_format: LogFormat, lines: Lines) -> None:
    with daemon_logs(log_format, logging.INFO):
        logging.getLogger("aiormq.connection").error("Server connection unexpectedly closed")
        LoggingObserver().observe(ConnectionLost("broker", "reset"))
    assert len(lines()) == 1


def test_a_lost_connection_is_one_line_whatever_it_takes_along(lines: Lines) -> None:
    observer, reset = LoggingObserver(), "Server connection reset"
    with daemon_logs(LogFormat.TEXT, logging.INFO):
        for _ in range(2):
            observer.observe(ConnectionLost("amqp://a", reset))
            observer.observe(ConsumerLost("m1", f"the channel ended: {reset}"))
        observer.observe(ConsumerLost("m1", "amqp://a: m1 not consumed within 10 s: refused"))
        assert len(lines()) == 1
        observer.observe(ConsumerLost("m1", "cancelled by the server"))
        observer.observe(ConnectionLost("redis b", reset))
        observer.observe(Connected("amqp://a"))
        # It was being opened when the server came back, and gave up a moment later.
        observer.observe(ConsumerLost("m1", "amqp://a: m1 not consumed within 10 s: refused"))
        observer.observe(
            ConsumerLost("m1", "amqp://a: m1 not consumed within 10 s: the broker did not answer")
        )
        observer.observe(ConnectionLost("amqp://a", reset))
        assert [line.split()[3] for line in lines()] == [
            "ConsumerLost",
            "ConnectionLost",
            "Connected",
            "ConsumerLost",
            "ConnectionLost",
        ]


def test_afterwards_logging_is_as_it_was(lines: Lines) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("aiormq").level)
    with daemon_logs(LogFormat.TEXT, logging.DEBUG):
        assert logging.getLogger("aiormq").level == logging.WARNING
    assert (root.level, root.handlers, logging.getLogger("aiormq").level) == before
    assert lines() == []
