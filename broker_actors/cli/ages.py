"""How long something has been so: as people write and read it."""

from __future__ import annotations

import re
from typing import Final

import typer

#: The largest first.
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_AGE: Final = re.compile(r"(\d{1,9})([smhd]?)")


def shown(seconds: float | None) -> str:
    """Return *seconds* in one unit: `59s`, `3m`, `23h`, `2d`; `unknown` for None."""
    if seconds is None:
        return "unknown"
    return next((f"{int(seconds // size)}{unit}" for unit, size in _UNITS if seconds >= size), "0s")


def read(text: str) -> float:
    """Return the seconds in *text*, which is a number and its unit: `90s`, `15m`, `12h`, `7d`.

    Raises:
        BadParameter: it is something else.

    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age: write 90s, 15m, 12h or 7d")
    number, unit = found.groups()
    return float(int(number) * dict(_UNITS)[unit or "s"])
