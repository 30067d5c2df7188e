"""Counters that log what they do."""

import logging

from broker_actors import actor, method

log = logging.getLogger(__name__)


@actor
class Counter:
    """A number with a name."""

    value: int = 0

    @method
    def increment(self, n: int = 1) -> int:
        self.value += n
        log.info("counted to %d", self.value)
        return self.value
