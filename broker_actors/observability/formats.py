"""How log records are written: lines for people, or one JSON object per line for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from broker_actors.observability.turns import TURN_FIELDS

#: What every record has, so that the rest is what whoever logged it added.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "address"}


class TextFormatter(logging.Formatter):
    """Lines for people; a record made inside a turn ends with the turn."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return the line without a traceback, which follows it."""
        line = super().formatMessage(record)
        # Events name their actor in their text.
        if hasattr(record, "event") or not hasattr(record, "actor"):
            return line
        fields = {name: getattr(record, name, "") for name in TURN_FIELDS}
        return f"{line} [{fields['actor']}.{fields['method']} {fields['message_id']} #{fields['attempt']}]"


class JsonFormatter(logging.Formatter):
    """One JSON object per line: when, what, the turn, and whatever else the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of ASCII."""
        when = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        added = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        fields |= {name: added.pop(name) for name in TURN_FIELDS if name in added}
        # A field somebody calls `level` must not hide ours.
        fields |= {(f"{name}_" if name in fields else name): value for name, value in added.items()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return _dumped(fields)


def _dumped(fields: Mapping[str, object]) -> str:
    try:
        return json.dumps(fields, default=str, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return "{" + ", ".join(f"{json.dumps(name)}: {_value(value)}" for name, value in fields.items()) + "}"


def _value(value: object) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        # Not a number, a mapping with odd keys, a list that holds itself: as text, rather than not at all.
        return json.dumps(str(value))
