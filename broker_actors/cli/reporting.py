"""What a daemon says of itself on stderr, as lines for people or as JSON like its log."""

from __future__ import annotations

import logging
import os
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import typer

from broker_actors.cli import running
from broker_actors.cli.output import ERR, Code
from broker_actors.core.errors import BrokerActorsError
from broker_actors.observability.daemon import LogFormat
from broker_actors.observability.formats import JsonFormatter

LOGGER: Final = logging.getLogger("broker_actors.worker")
_STDERR: Final = 2


def announce(text: str, log_format: LogFormat) -> None:
    """Say *text*: a stage in the life of the process."""
    if log_format is LogFormat.JSON:
        LOGGER.info("%s", text, extra={"event": "Stage"})
    else:
        ERR.print(text)


def show_dump(text: str, log_format: LogFormat) -> None:
    """Write a dump, from inside a signal handler: past the streams, which may be in the middle of a line."""
    if log_format is LogFormat.JSON:
        record = LOGGER.makeRecord(
            LOGGER.name, logging.INFO, "", 0, "%s", (text,), None, extra={"event": "Dump"}
        )
        text = JsonFormatter().format(record) + "\n"
    left = text.encode(errors="backslashreplace")
    # What interrupts a turn must not fail it because nobody reads stderr.
    with suppress(BrokenPipeError):
        while left:
            left = left[os.write(_STDERR, left) :]


async def reported(command: Coroutine[Any, Any, None], log_format: LogFormat) -> None:
    """Await *command*; what ends it too early is one line, and an exit code that is not 0.

    Raises:
        Exit: it failed; what is wrong has been said.
        BrokerActorsError: it failed, and the line about it is still to be printed.

    """
    try:
        await command
    except BrokerActorsError as error:
        if log_format is LogFormat.TEXT:
            raise
        LOGGER.error("%s", running.in_one_line(error), extra={"event": "Failed"})  # noqa: TRY400 - the error says all
        raise typer.Exit(running.code_of(error)) from None
    except typer.Exit:
        raise
    except Exception as error:
        # Only a bug ends a worker like this; whoever restarts it should find in its log which.
        LOGGER.critical("died: %s: %s", type(error).__name__, error, exc_info=error, extra={"event": "Died"})
        raise typer.Exit(Code.PLATFORM) from None
