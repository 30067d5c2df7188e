"""How often a worker process looks for garbage that reference counting leaves.

A busy worker holds thousands of messages. Python looks at young objects after every 700 that were made,
and at all there are once they have grown by a quarter: nearly all it sees then are messages that wait,
and none of those is garbage. Source: `gc.freeze` and `gc.set_threshold` in the library reference.
"""

from __future__ import annotations

import gc
from typing import Final

#: Objects made, and not yet given up, between two looks at the young ones.
YOUNG_MAX: Final = 10_000
#: Looks at the young ones between two at the middle-aged, and of those between two at all.
LOOKS: Final = 20


def collect_seldom() -> None:
    """Look less often from now on, and never again at what has been loaded. For a process of our own only."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, LOOKS, LOOKS)
