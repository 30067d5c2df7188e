"""Signals between processes: "look at the store again", and "nobody waits for this call any more".

Hints, both. What the first is about is in the store: a lost one costs time and no more, as
whoever waits for one looks by itself every `LOOK_SECONDS`. Without the second a call runs
to its deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

#: What the correlation id of a signal begins with, before the token; those of asks are numbers.
SIGNAL: Final = "signal:"
#: Told what comes with a signal; empty for nothing, as with most.
OnSignal: TypeAlias = Callable[[bytes], None]
#: How often whoever waits for a signal looks at the store without one.
LOOK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is to be signalled.

    Attributes:
        channel: the channel of its process.
        token: which listener of that process.

    """

    channel: str
    token: str


class Control(Protocol):
    """The signals of one process."""

    async def listen(self, token: str, on_signal: OnSignal) -> Listener:
        """Have *on_signal* called for every signal to *token*, until `forget`.

        Raises:
            PlatformError: the channel of this process cannot be opened.

        """
        ...

    def forget(self, token: str) -> None:
        """Drop the signals to *token* from now on. Idempotent."""
        ...

    async def attend(self, on_cancel: Callable[[str], None]) -> str:
        """Have *on_cancel* called with every call that is cancelled here; return this process's channel.

        Raises:
            PlatformError: the channel of this process cannot be opened.

        """
        ...

    def ignore(self, on_cancel: Callable[[str], None]) -> None:
        """Call *on_cancel* no more. Idempotent."""
        ...

    async def cancel(self, channel: str, call: str) -> None:
        """Tell whoever attends at *channel* that nobody waits for *call*.

        Never raises for a store that is away.
        """
        ...

    async def signal(self, listener: Listener) -> None:
        """Wake *listener*, if it still listens. Never raises for a store that is away."""
        ...
