"""A stored state: the version of the class that wrote it, and its attributes as plain values.

Layout 1 is `{"v": 1, "s": {name: value}}`, written by classes of version 1; layout 2 is
`{"v": 2, "n": version, "s": {name: value}}`, written by those of any higher version.
Invariant: who knows layout 1 only refuses layout 2, and so never rewrites what it does not understand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from broker_actors.core import codec
from broker_actors.core.errors import Plain, UndecodableError
from broker_actors.core.light import dataclass

#: The newest layout this release knows.
LAYOUT_MAX: Final = 2
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
    if version == 1:
        return codec.encode({"v": 1, "s": values}, simplify=simplify, what=what)
    return codec.encode({"v": 2, "n": version, "s": values}, simplify=simplify, what=what)


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
