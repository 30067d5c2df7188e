"""What a worker knows about itself: whether it does its work, and what it is doing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a worker does what it is there for.

    Attributes:
        ready: it consumes every mailbox it should, and broker and store answer.
        reasons: why it is not ready, one sentence each; empty if it is.

    """

    ready: bool
    reasons: tuple[str, ...] = ()
