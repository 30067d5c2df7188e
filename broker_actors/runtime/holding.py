"""Notes in the store of who is served from which mailbox.

A worker that dies leaves its notes behind: that is how the next one knows which
redelivered messages were in the hands of a worker that died, and which were merely
given back. Invariant: no turn of a mailbox begins before its note is written or has failed;
one that failed is tried again until it is written, or the mailbox is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from broker_actors.core.errors import PlatformError
from broker_actors.core.events import Trouble
from broker_actors.ports.members import Members
from broker_actors.ports.observer import Observer
from broker_actors.runtime.arrival import Subscription

#: How long the end of a worker waits for its notes to be taken back.
CLOSE_SECONDS_MAX: Final = 2.0


class Holding:
    """The notes of one worker."""

    def __init__(self, members: Members, name: str, observer: Observer) -> None:
        self._members = members
        self._name = name
        self._observer = observer
        self._noting: set[asyncio.Task[Any]] = set()
        # A dict for its order, which must not depend on what texts hash to.
        self._held: dict[str, None] = {}
        #: Of those, the ones the store is not known to have noted.
        self._unnoted: dict[str, None] = {}

    def served(self, subscription: Subscription) -> None:
        """Note that the broker serves *subscription*; its `orderly` tells what was before."""
        self._held[subscription.mailbox] = self._unnoted[subscription.mailbox] = None
        subscription.orderly = self._start(self._hold(subscription.mailbox))

    def lost(self, mailbox: str) -> None:
        """Take back the note of *mailbox* in the background, this worker being alive."""
        if mailbox in self._held:
            self._start(self.release(mailbox))

    async def release(self, mailbox: str) -> None:
        """Take back the note of *mailbox*, if there is one. Never raises for a store that is away."""
        if mailbox not in self._held:
            return
        del self._held[mailbox]
        self._unnoted.pop(mailbox, None)
        try:
            await self._members.release(mailbox, self._name)
        except PlatformError as error:
            self._observer.observe(Trouble(f"release of {mailbox}", str(error)))

    def note_again(self) -> None:
        """Try to note in the background what the store did not take, or did not say that it took.

        Or the death of this worker would be taken for a hand-over in order.
        """
        if self._noting:
            # Perhaps of one of these, and the next time is soon.
            return
        for mailbox in self._unnoted:
            self._start(self._again(mailbox))

    async def close(self) -> None:
        """Take back every note, within a deadline. Idempotent."""
        for mailbox in list(self._held):
            self._start(self.release(mailbox))
        if self._noting:
            _, late = await asyncio.wait(self._noting, timeout=CLOSE_SECONDS_MAX)
            for task in late:
                task.cancel()

    async def _hold(self, mailbox: str) -> bool:
        try:
            return await self._note(mailbox)
        except PlatformError as error:
            self._observer.observe(Trouble(f"hold of {mailbox}", str(error)))
            # What cannot be known is suspected: that costs a round trip for each message that came again,
            # and saves the next worker from a message that kills.
            return False

    async def _again(self, mailbox: str) -> None:
        with suppress(PlatformError):
            # Said the first time.
            await self._note(mailbox)

    async def _note(self, mailbox: str) -> bool:
        is_orderly = await self._members.hold(mailbox, self._name)
        if mailbox in self._held:
            self._unnoted.pop(mailbox, None)
        else:
            # Given back meanwhile; what came after that must not stay.
            await self._members.release(mailbox, self._name)
        return is_orderly

    def _start(self, noting: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(noting)
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)
        return task
