"""The releases of the client library that this package knows."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Final

#: Major and minor version of the library, and of what encodes its frames. What is relied on: a write to
#: the socket is one or more whole frames of one channel; what is read is read from the stream
#: reader, and frames of channels may be missing from it; a channel in the mode of confirms counts nothing
#: that it did not send itself.
_KNOWN: Final = {"aiormq": (7, 2), "pamqp": (4, 0)}


@cache
def is_known() -> bool:
    """Return whether the installed releases are those this package was verified with."""
    return all(_minor(version(name)) == known for name, known in _KNOWN.items())


def _minor(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
