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

_QUIET_OUTCOMES: Final = frozenset({"ok", "duplicate", "business_error", "cancelled", "expired"})


class LoggingObserver:
    """Writes events to the logger `broker_actors`.

    A server that goes away is one warning, however many connections and consumers it takes along.
    """

    def __init__(self) -> None:
        #: Why each server that is away was lost.
        self._away: dict[str, str] = {}
        #: Servers that were reached at least once.
        self._reached: set[str] = set()

    def observe(self, event: Event) -> None:
        """Log *event*."""
        level = logging.DEBUG if self._is_known(event) else _level(event)
        if LOGGER.isEnabledFor(level):
            values = {field.name: getattr(event, field.name) for field in fields(event)}
            text = " ".join(f"{name}={value}" for name, value in values.items() if value not in {"", None})
            LOGGER.log(
                level, "%s %s", type(event).__name__, text, extra={"event": type(event).__name__, **values}
            )

    def _is_known(self, event: Event) -> bool:
        """Return whether *event* says no more than that a server is away, which has been logged."""
        match event:
            case events.ConnectionLost(server=server, reason=reason):
                known = self._away.get(server) == reason
                self._away[server] = reason
                return known
            case events.Connected(server=server):
                self._away.pop(server, None)
                self._reached.add(server)
                return False
            case events.ConsumerLost(reason=reason):
                # It lost its channel with the connection, or could not be opened again since.
                lost = any(why and reason.endswith(why) for why in self._away.values())
                # Also one that was being opened when the server came back, and gave up a moment later.
                return lost or any(
                    reason.startswith(server) and not reason.endswith("did not answer")
                    for server in {*self._away, *self._reached}
                )
            case _:
                return False


def _level(event: Event) -> int:
    match event:
        case events.TurnEnded(outcome=outcome):
            return logging.DEBUG if outcome in _QUIET_OUTCOMES else logging.WARNING
        case events.ConsumerOpened() | events.ReplyIgnored() | events.ReplyUndelivered():
            return logging.DEBUG
        case events.Connected() | events.HandedOver() | events.ActorResumed():
            return logging.INFO
        case events.StoreRolledBack() | events.ActorSuspended():
            return logging.ERROR
        case _:
            return logging.WARNING
