"""Deployments whose mailboxes hold little."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

import pytest

from broker_actors import MailboxFullError, Settings
from broker_actors.bootstrap.backend import Embedded
from tests.acceptance.conftest import Deployment
from tests.acceptance.pressed import Scroll, ScrollRef
from tests.servers import VirtualHosts

BOUND: Final = 5
#: The bound of a quorum queue is soft: it refuses a moment after it is full.
OVERSHOOT_MAX: Final = 200

D = TypeVar("D", bound=Deployment)


@asynccontextmanager
async def bounded_deployment(request: pytest.FixtureRequest, kind: type[D]) -> AsyncIterator[D]:
    """Make a deployment, embedded or real as the parameter says, on which `Scroll` has been declared."""
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            deployment = kind(Settings(), Embedded(mailbox_max=BOUND), stack)
        else:
            url: str = request.getfixturevalue("amqp_url")
            vhosts: VirtualHosts = request.getfixturevalue("vhosts")
            vhosts.set_policy(url, "mailboxes", r"^actors\.[A-Za-z_]+\.g[0-9]+\.", max_length=BOUND)
            deployment = kind(Settings(url=url, redis_url=request.getfixturevalue("redis_url")), None, stack)
        async with deployment.worker(Scroll):
            pass
        yield deployment


async def filled(scroll: ScrollRef) -> int:
    """Tell *scroll* 1, 2, 3, ... until it takes no more; return the last one it took."""
    for number in range(1, BOUND + OVERSHOOT_MAX):
        try:
            await scroll.note.tell(number)
        except MailboxFullError:
            return number - 1
    raise AssertionError("it took everything")
