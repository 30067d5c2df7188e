"""Tells to many actors at once.

They enter the transport together, a slice at a time, so that neither does their encoding hold
up the event loop nor do the confirms of one slice keep the next from leaving. Invariant: within
a slice numbers are taken in the loop step in which the publishes enter the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from broker_actors.client.under_way import UnderWay
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import PlatformError
from broker_actors.core.topology import Layout
from broker_actors.dispatch import Dispatch
from broker_actors.ports.calling import Call

#: Tells that are encoded in one step of the loop: some tens of milliseconds.
SLICE: Final = 500
#: Slices that wait for their confirms together: enough to keep the transport's window full.
SLICES_MAX: Final = 8

Answers: TypeAlias = list[PlatformError | None]
#: An actor type, and the layout that the ref's class declares.
Kind: TypeAlias = tuple[str, Layout | None]
Layouts: TypeAlias = Mapping[Kind, Layout | PlatformError]


class Telling:
    """Sends tells together.

    Args:
        dispatch: the way to the broker.
        under_way: knows whether the client is closed.
        take: returns a call as the next envelope to its actor.
        settle: takes note of an envelope, and of whether it was confirmed.

    """

    def __init__(
        self,
        dispatch: Dispatch,
        under_way: UnderWay,
        take: Callable[[Call], Envelope],
        settle: Callable[[Envelope, bool], None],
    ) -> None:
        self._dispatch = dispatch
        self._under_way = under_way
        self._take = take
        self._settle = settle

    async def all(self, calls: Sequence[Call]) -> Answers:
        """Send *calls* in order and return what became of each; see `ports.calling.Caller`."""
        found = {kind: await self._layout(*kind) for kind in dict.fromkeys(map(_kind, calls))}
        room = asyncio.Semaphore(SLICES_MAX)
        sending: list[asyncio.Task[Answers]] = []
        try:
            for start in range(0, len(calls), SLICE):
                await room.acquire()
                task = asyncio.create_task(self._send(calls[start : start + SLICE], found))
                task.add_done_callback(lambda _: room.release())
                sending.append(task)
            return [answer for answers in await asyncio.gather(*sending) for answer in answers]
        finally:
            for task in sending:
                task.cancel()
            # Not before they are gone: nobody would own them.
            await asyncio.gather(*sending, return_exceptions=True)

    async def _layout(self, actor_type: str, declared: Layout | None) -> Layout | PlatformError:
        try:
            return await self._dispatch.layout(actor_type, declared)
        except PlatformError as error:
            return error

    async def _send(self, calls: Sequence[Call], layouts: Layouts) -> Answers:
        # Of a client that was closed meanwhile nothing must be numbered or sent.
        self._under_way.check_open()
        answers: Answers = [None] * len(calls)
        going: dict[int, tuple[Layout, Envelope]] = {}
        confirmed: set[int] = set()
        try:
            for n, call in enumerate(calls):
                try:
                    going[n] = self._taken(call, layouts)
                except PlatformError as error:
                    answers[n] = error
            messages = [(layout.route_to(one.address), to_wire(one)) for layout, one in going.values()]
            for n, answer in zip(going, await self._dispatch.publish_all(messages), strict=True):
                answers[n] = answer
                if answer is None:
                    confirmed.add(n)
        finally:
            for n, (_, envelope) in going.items():
                self._settle(envelope, n in confirmed)
        return answers

    def _taken(self, call: Call, layouts: Layouts) -> tuple[Layout, Envelope]:
        layout = layouts[_kind(call)]
        if isinstance(layout, PlatformError):
            raise layout
        return layout, self._take(call)


def _kind(call: Call) -> Kind:
    return call.address.type, call.declared
