"""Events as structured log records: one line each, with their fields as attributes.

Levels: what somebody should look at is a warning, what changed is info, the normal flow
of turns is debug, so that a quiet log means a quiet system.
"""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Final

from broker_actors.core import events
from broker_actors.core.events import Event

LOGGER: Final = logging.getLogger("broker_actors")

_QUIET_OUTCOMES: Final = frozenset({"ok", "duplicate", "business_error", "expired"})


class LoggingObserver:
    """Writes events to the logger `broker_actors`."""

    def observe(self, event: Event) -> None:
        """Log *event*."""
        level = _level(event)
        if LOGGER.isEnabledFor(level):
            values = {field.name: getattr(event, field.name) for field in fields(event)}
            text = " ".join(f"{name}={value}" for name, value in values.items() if value not in {"", None})
            LOGGER.log(
                level, "%s %s", type(event).__name__, text, extra={"event": type(event).__name__, **values}
            )


def _level(event: Event) -> int:
    match event:
        case events.TurnEnded(outcome=outcome):
            return logging.DEBUG if outcome in _QUIET_OUTCOMES else logging.WARNING
        case events.ConsumerOpened() | events.ReplyIgnored() | events.ReplyUndelivered():
            return logging.DEBUG
        case events.Connected():
            return logging.INFO
        case _:
            return logging.WARNING
