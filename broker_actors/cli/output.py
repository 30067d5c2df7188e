"""What commands print: for people on a terminal, as plain lines in a pipe, as JSON for machines.

Results go to stdout and nothing else does; errors, logs and notes go to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from base64 import b64encode
from collections.abc import Mapping, Sequence
from enum import IntEnum
from math import isfinite
from typing import Final, cast

import typer
from rich.console import Console
from rich.table import Table

#: As a shell reports a program whose reader went away, as `head` does when it has enough.
READER_GONE: Final = 128 + signal.SIGPIPE


class _Results(Console):
    """Stdout. Without a reader the command ends: nobody wants the rest."""

    def on_broken_pipe(self) -> None:
        """End the command, and keep the interpreter from trying once more."""
        _discard(self)
        raise typer.Exit(READER_GONE)


class _Remarks(Console):
    """Stderr. Without a reader all goes on: a daemon has better to do than to be read."""

    def on_broken_pipe(self) -> None:
        """Say the rest to nobody."""
        _discard(self)


#: No markup: what is printed comes from actors and brokers, and may well have brackets in it.
OUT: Final = _Results(markup=False, highlight=False, emoji=False, soft_wrap=True)
ERR: Final = _Remarks(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
#: Rows of a table that are worth a frame: drawing one takes a second for a thousand.
FRAMED_MAX: Final = 200


class Code(IntEnum):
    """Exit codes."""

    OK = 0
    #: The actor answered with an error, or a step of the demo did not do what it says.
    REFUSED = 1
    #: The broker, the store, the configuration or the command line is at fault.
    PLATFORM = 2


def stop(text: str, code: Code = Code.PLATFORM) -> typer.Exit:
    """Print one line about what went wrong; return the exception that ends the command."""
    ERR.print(f"error: {printable(text)}", style="red")
    return typer.Exit(code)


def show_json(value: object) -> None:
    """Print *value* as one JSON document."""
    _write(json.dumps(jsonable(value), ensure_ascii=False, indent=2))


def jsonable(value: object) -> object:
    """Return *value* with nothing in it that JSON cannot say; bytes as on the wire, `{"$bytes": ...}`."""
    match value:
        case str():
            # JSON from elsewhere may hold half a surrogate pair, which no stream can write.
            return value.encode(errors="backslashreplace").decode()
        case bytes() | bytearray():
            return {"$bytes": b64encode(value).decode()}
        case float() if not isfinite(value):
            return str(value)
        case Mapping():
            items = cast("Mapping[object, object]", value)
            return {str(key): jsonable(item) for key, item in items.items()}
        case list() | tuple():
            return [jsonable(item) for item in cast("Sequence[object]", value)]
        case _:
            return value


def printable(text: str, keep: str = "") -> str:
    """Return *text* without what a terminal would obey; anybody can write into a queue.

    Args:
        text: from a broker, a store or an actor.
        keep: control characters to leave, such as newlines.

    """
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: aligned plain text, so that grep and awk can read it; framed on a terminal if short."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if OUT.is_terminal and len(rows) <= FRAMED_MAX:
        table = Table(*columns, header_style="bold")
        for row in rows:
            table.add_row(*row)
        OUT.print(table)
        return
    lines = [columns, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    aligned = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    _write("\n".join("  ".join(cells).rstrip() for cells in aligned))


def _write(text: str) -> None:
    # Not by the console: it looks at every character, a second for ten thousand lines.
    try:
        OUT.file.write(f"{text}\n")
        # Before what may follow on stderr.
        OUT.file.flush()
    except BrokenPipeError:
        OUT.on_broken_pipe()


def _discard(console: Console) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, console.file.fileno())
    os.close(nowhere)


def show_logs(level: int) -> None:
    """Send the package's log to stderr, from *level* on, and nobody else's.

    The drivers log what the package reports in its own words; a command's error is one
    line, and theirs would put a traceback before it.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("broker_actors")
    logger.handlers = [handler]
    logger.setLevel(level)
