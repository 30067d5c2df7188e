"""A stored state: the version of the class that wrote it, and its attributes as plain values.

Layout 1 is `{"v": 1, "s": {name: value}}`, written by classes of version 1; layout 2 is
`{"v": 2, "n": version, "s": {name: value}}`, written by those of any higher version.
Invariant: who knows layout 1 only refuses layout 2, and so never rewrites what it does not understand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from broker_actors.core import codec, packer
from broker_actors.core.errors import Plain, UndecodableError
from broker_actors.core.light import dataclass

#: The newest layout this release knows.
LAYOUT_MAX: Final = 2
#: Each item takes a byte at least, so that this many are not too many items either.
SCALARS_BYTES_MAX: Final = min(codec.ITEMS_MAX, codec.BODY_BYTES_MAX)
#: Of a class; what fits everywhere and is never used up.
STATE_VERSION_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Stored:
    """A state as it was written.

    Attributes:
        version: of the class that wrote it, from 1.
        values: its attributes by name.

    """

    version: int
    values: Mapping[str, Plain]


@dataclass(frozen=True, slots=True)
class NewerLayout:
    """A state in a layout of a later release of this package."""

    layout: int


def pack(
    values: Mapping[str, object], version: int, *, simplify: Callable[[object], object], what: str
) -> bytes:
    """Return *values* as bytes; the errors are those of `codec.encode`."""
    return codec.encode(_laid_out(values, version), simplify=simplify, what=what)


def pack_scalars(values: Mapping[str, object], version: int) -> bytes | None:
    """Return what `pack` returns of *values*, each of one of `codec.SCALARS`; None if `pack` has to say.

    So few bytes of scalars under names break no bound that `unpack` has, and need not be read again.
    """
    try:
        data = packer.pack(_laid_out(values, version))
    except (ValueError, OverflowError):
        return None
    return data if len(data) <= SCALARS_BYTES_MAX else None


def _laid_out(values: Mapping[str, object], version: int) -> dict[str, object]:
    return {"v": 1, "s": values} if version == 1 else {"v": 2, "n": version, "s": values}


def unpack(data: bytes, *, bytes_max: int = codec.BODY_BYTES_MAX) -> Stored | NewerLayout:
    """Return what `pack` packed.

    Raises:
        UndecodableError: these bytes are no state.
        PayloadTooLargeError: they are over the limit.

    """
    match codec.decode(data, bytes_max=bytes_max):
        case {"v": int(layout)} if layout > LAYOUT_MAX:
            return NewerLayout(layout)
        case {"v": 1, "s": dict(values)}:
            return Stored(1, values)
        case {"v": 2, "n": int(version), "s": dict(values)} if version > 1:
            return Stored(version, values)
        case _:
            raise UndecodableError("these bytes are no state")
