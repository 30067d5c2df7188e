"""Log records that know the turn they were made in.

A filter on a handler, so that it costs a turn that logs nothing nothing, and sees the
records of every logger, also of the user's own.
"""

from __future__ import annotations

import logging
from typing import Final

from broker_actors.actor.context import scope_here

#: What a record made inside a turn carries.
TURN_FIELDS: Final = ("actor", "method", "message_id", "attempt")


class TurnFilter(logging.Filter):
    """Adds `actor`, `method`, `message_id` and `attempt` to records; lets all of them pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, after naming the turn *record* was made in.

        A field the record brings along stays as it is: whoever logs it knows better.
        """
        scope = scope_here()
        if scope is None:
            # An event about a turn says of which actor.
            address = getattr(record, "address", None)
            return self._add(record, {} if address is None else {"actor": str(address)})
        actor = str(scope.address)
        values = (actor, scope.method, scope.id.removeprefix(f"{actor}/"), scope.attempt)
        return self._add(record, dict(zip(TURN_FIELDS, values, strict=True)))

    def _add(self, record: logging.LogRecord, values: dict[str, str | int]) -> bool:
        for name, value in values.items():
            record.__dict__.setdefault(name, value)
        return True
