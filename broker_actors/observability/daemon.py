"""The logging of a process of ours: what a daemon writes to stderr, and who may.

Invariant: as long as it lasts, every record of the process comes out once, in one format;
the drivers are quiet, since what becomes of their connections is reported by us, once.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from broker_actors.observability.formats import JsonFormatter, TextFormatter
from broker_actors.observability.logs import LOGGER
from broker_actors.observability.turns import TurnFilter

#: Loggers of what we use: they report what we report, a lost connection several times and with tracebacks.
_QUIET: Final = ("aiormq", "aio_pika", "redis", "watchfiles")


class LogFormat(StrEnum):
    """How log records are written."""

    TEXT = "text"
    JSON = "json"


@contextmanager
def daemon_logs(log_format: LogFormat, level: int) -> Generator[None]:
    """Write the records of all loggers to stderr until left.

    Args:
        log_format: lines for people, or JSON for machines.
        level: from which on this package's records are written; others', from INFO on.

    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    handler.addFilter(TurnFilter())
    levels = {logging.getLogger(): logging.INFO, LOGGER: level}
    # Above all there is. Whoever debugs a connection sees the warnings.
    quiet = logging.WARNING if level <= logging.DEBUG else logging.CRITICAL + 1
    levels |= {logging.getLogger(name): quiet for name in _QUIET}
    before = {logger: logger.level for logger in levels}
    ours, LOGGER.handlers = LOGGER.handlers, []
    for logger, wanted in levels.items():
        logger.setLevel(wanted)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, wanted in before.items():
            logger.setLevel(wanted)
        LOGGER.handlers = ours
