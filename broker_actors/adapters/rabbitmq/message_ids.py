"""The ids of publish attempts.

Invariant: no two attempts share one, in no process. Each begins with the time of its
attempt, because the broker's own UI shows ids as they are and times as bare numbers: so
a person who looks at a message there reads since when it lies there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count


def message_ids(incarnation: str, now_seconds: Callable[[], float] = time.time) -> Iterator[str]:
    """Yield ids such as `2026-11-21T10:47:47Z-4a7c0e3b-1`, for ever.

    Args:
        incarnation: what no other publisher has.
        now_seconds: Unix seconds.

    """
    shown_second, shown = -1, ""
    for number in count(1):
        # A second has many publishes, and formatting its name costs more than all the rest.
        if (second := int(now_seconds())) != shown_second:
            shown_second, shown = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        yield f"{shown}-{incarnation}-{number}"
