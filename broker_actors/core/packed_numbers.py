"""Lists of whole numbers as MessagePack: part of every commit, and so plain that nothing need be checked.

Invariant: `codec.decode` reads whatever this has written, if the list is within its bounds.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

import msgpack  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] # it has no stubs

from broker_actors.core.codec import BEYOND_64_BITS

#: What a packer begins with; its own default takes longer to get than to fill.
_BUFFER_BYTES: Final = 512


class _Packer(Protocol):
    def __init__(self, *, buf_size: int) -> None: ...

    def pack(self, obj: list[int], /) -> bytes: ...


_packer: Final = cast("type[_Packer]", msgpack.Packer)  # pyright: ignore[reportUnknownMemberType]


def pack(numbers: list[int]) -> bytes:
    """Return *numbers* encoded.

    Raises:
        TypeError: one of them has more than 64 bits.

    """
    try:
        return _packer(buf_size=_BUFFER_BYTES).pack(numbers)
    except OverflowError as error:
        raise TypeError(BEYOND_64_BITS) from error
