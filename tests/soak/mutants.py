"""Workers and senders with one fault each that only real servers can show.

What belongs here: faults of the adapters. Those of core and runtime are in
`tests/simulation/mutants.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

#: Names the mutant that a process is to be.
MUTANT: Final = "SOAK_MUTANT"

MUTANTS: Final[Mapping[str, Callable[[], None]]] = MappingProxyType({})
