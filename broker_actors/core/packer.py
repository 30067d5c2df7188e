"""The packer of msgpack, which has no types of its own, with a buffer of a size that most bodies need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, cast

import msgpack  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] # it has no stubs

#: What it begins with; its own default takes longer to get than to fill.
_BUFFER_BYTES: Final = 512


class _Packer(Protocol):
    def __init__(self, *, default: Callable[[object], object] | None, buf_size: int) -> None: ...

    def pack(self, value: object, /) -> bytes: ...


_packer: Final = cast("type[_Packer]", msgpack.Packer)  # pyright: ignore[reportUnknownMemberType]


def pack(value: object, default: Callable[[object], object] | None = None) -> bytes:
    """Return *value* as MessagePack; nobody looks whether it can be read again.

    Args:
        value: plain values, and whatever *default* turns into them.
        default: called for every value of an unknown type, and for an integer beyond 64 bits.

    Raises:
        OverflowError: without *default*, an integer has more than 64 bits.
        TypeError: without *default*, a value has no plain form.
        ValueError: it is nested too deep, or too large.

    """
    return _packer(default=default, buf_size=_BUFFER_BYTES).pack(value)
