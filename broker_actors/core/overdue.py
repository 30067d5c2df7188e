"""When the tick of a reminder that is overdue is sent again: it may have been lost.

Nobody can tell whether it was, or waits in a mailbox. A second one does no harm, but many would
fill that mailbox. Invariant: one that stays overdue is sent again after ever longer times.
"""

from __future__ import annotations

from typing import Final

#: How long a tick may be overdue before it is sent again: what has a backlog of minutes is in trouble.
GRACE_MS: Final = 60_000


def is_sent_again(overdue_ms: int, looked_ms: int | None, grace_ms: int = GRACE_MS) -> bool:
    """Return whether a tick is sent again: after 1, 2, 4, ... times the grace, at the look after that.

    Args:
        overdue_ms: for how long it is overdue.
        looked_ms: how long ago the last look was; None if this is the first one.
        grace_ms: see above.

    """
    if overdue_ms < grace_ms:
        return False
    if looked_ms is None:
        return True
    doubled_ms = grace_ms << ((overdue_ms // grace_ms).bit_length() - 1)
    return overdue_ms - looked_ms < doubled_ms
