"""The decorator of data classes of which every message makes some.

To type checkers it is the standard one, and they see to it that nobody changes what is frozen. At run
time nothing does: each field of a class that is frozen there is set through a call, which makes an
object of it four times as dear, and a turn makes two dozen of them.

Invariant: only classes under `frozen=True, slots=True` are decorated with it. They compare and hash as
the standard decorator would have them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import field as field  # noqa: PLC0414 - how a name is handed on
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    # The very decorator that checkers know.
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - how a name is handed on
else:
    T = TypeVar("T")

    def dataclass(*, frozen: bool, slots: bool, eq: bool = True) -> Callable[[type[T]], type[T]]:
        """Return a decorator that makes a data class which is frozen for type checkers only."""
        assert frozen, "what changes is no light class"
        return dataclasses.dataclass(slots=slots, eq=eq, unsafe_hash=eq)
