"""Sending what was committed: published in order, and forgotten in the outbox once confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker_actors.core.outgoing import Outgoing
from broker_actors.dispatch import Dispatch
from broker_actors.runtime.ledger import Ledger


async def send(items: Sequence[Outgoing], version: int, ledger: Ledger, dispatch: Dispatch) -> None:
    """Publish *items*, in order and without waiting between; what is confirmed leaves the outbox.

    Args:
        items: all that one commit holds.
        version: what that commit made.
        ledger: where it was made.
        dispatch: where it goes.

    Raises:
        PlatformError: one of them is not confirmed, or the store does not answer.

    """
    if not items:
        return
    results = await asyncio.gather(*(dispatch.send(item) for item in items), return_exceptions=True)
    await ledger.dispatched(version, [index for index, error in enumerate(results) if error is None])
    failed = [error for error in results if error is not None]
    if failed:
        raise failed[0]
