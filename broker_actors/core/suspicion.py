"""How a message that may have killed its worker is found out, in numbers.

A suspect first runs beside others, for nearly all are innocent. Who was near too many crashes runs
alone, and what crashes then is its own fault. Being alone holds everybody else up, so it is
bounded, by a bound that grows: what kills late is found, too, only later.
"""

from __future__ import annotations

from typing import Final

from broker_actors.core.verdict import CRASHES_MAX

#: Crashes a suspect may have been near before it runs alone.
BESIDE_OTHERS_MAX: Final = 2
#: Crashes while it ran alone, after which it is not run again.
ALONE_MAX: Final = CRASHES_MAX - BESIDE_OTHERS_MAX
#: How long the first run is alone; also how long it waits for those that run already, who keep nobody longer
#: than `PATIENCE_SECONDS_MAX`.
ALONE_SECONDS: Final = 5.0
#: How long any is.
ALONE_SECONDS_MAX: Final = 3600.0
PATIENCE_SECONDS_MAX: Final = 60.0
#: More than lead to that; a power of whatever number the store has could be beyond every float.
_DOUBLINGS_MAX: Final = 20


def alone_seconds(crashes: int) -> float:
    """Return how long a suspect that was near *crashes* crashes beside others is alone."""
    doublings = min(_DOUBLINGS_MAX, max(0, crashes - BESIDE_OTHERS_MAX))
    return min(ALONE_SECONDS_MAX, ALONE_SECONDS * 2.0**doublings)
