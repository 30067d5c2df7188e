"""What an examination of a deployment finds: how grave it is and what to do about it.

Invariant: a finding that is not `OK` says what to do; whoever reads only the text and the fix
needs no other page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: Names shown in one finding; the number of the others is told.
_NAMES_SHOWN: Final = 3


class Severity(IntEnum):
    """How grave a finding is."""

    #: As it should be.
    OK = 0
    #: Worth knowing; nothing has to change.
    NOTE = 1
    #: Works, with a risk that somebody should have decided to take.
    WARNING = 2
    #: The platform does not keep its promises like this, or does not run at all.
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one check.

    Attributes:
        check: which check, for machines and for searching: `redis.eviction`.
        severity: how grave it is.
        text: what was found.
        fix: what to do; empty if there is nothing to do.

    """

    check: str
    severity: Severity
    text: str
    fix: str = ""


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings*, the gravest first; equally grave ones in the order they were found."""
    return sorted(findings, key=lambda finding: -finding.severity)


def worst(findings: Iterable[Finding]) -> Severity:
    """Return how grave the gravest of *findings* is; `OK` if there is none."""
    return max((finding.severity for finding in findings), default=Severity.OK)


def some(names: Iterable[str]) -> str:
    """Return the first of *names* and how many others there are: `a, b, c and 4 more`."""
    every = list(dict.fromkeys(names))
    more = len(every) - _NAMES_SHOWN
    shown = ", ".join(every[:_NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
