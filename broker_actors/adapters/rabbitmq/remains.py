"""What still arrives on a channel that this side has given up.

The library's connection hands each frame to its channel, and waits while that one's buffer is
full. A channel whose call was cancelled stops reading at once, but the broker sends on until it
has read that the channel is closed: without somebody to take those frames the whole connection, every other
mailbox included, would stand still until its heartbeat ends it.
"""

from __future__ import annotations

from aiormq.abc import AbstractChannel


def drop_remains(channel: AbstractChannel) -> None:
    """Forget what still arrives on *channel*, which is closed here, until the broker has closed it, too."""
    if channel.is_closed and _is_known(channel):
        # The connection owns the task, and ends it with itself.
        channel.connection.create_task(_drop(channel))  # pyright: ignore[reportUnknownMemberType]


async def _drop(channel: AbstractChannel) -> None:
    while _is_known(channel):
        await channel.frames.get()  # pyright: ignore[reportUnknownMemberType]


def _is_known(channel: AbstractChannel) -> bool:
    return channel.connection.channels.get(channel.number) is channel
