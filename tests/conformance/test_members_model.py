"""Every adapter of the workers' port against a model: no beat hides a change, not even after a loss."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from broker_actors.core.member import Member, Report
from broker_actors.ports.members import Members
from tests.conformance.members import Deployment, deploy, worker
from tests.conformance.stores import ADAPTERS

T = TypeVar("T")

names = st.sampled_from(["a", "b", "c", "d", "e"])
through = st.integers(0, 2)
mailboxes = st.sampled_from(["q1", "q2"])


class MembersModel(RuleBasedStateMachine):
    """Calls the port through three connections, and compares with a few dictionaries."""

    adapter = ""
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.living: dict[str, tuple[Member, Report]] = {}
        self.left: set[str] = set()
        self.holders: dict[str, str] = {}
        self.saved: tuple[Callable[[], Awaitable[None]], Any] | None = None

    @initialize()
    def connect(self) -> None:
        self.deployment: Deployment = deploy(self.adapter, self.url, self.stack)
        self.connections: list[Members] = [self.run(self.open()) for _ in range(3)]

    async def open(self) -> Members:
        return await self.deployment.connect()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    @rule(name=names, via=through, consuming=st.sets(mailboxes), residents=st.integers(0, 3))
    def beat(self, name: str, via: int, consuming: set[str], residents: int) -> None:
        member, report = worker(name, *consuming), Report(residents)
        if name not in self.left:
            self.living[name] = (member, report)
        seen = self.run(self.connections[via].beat(member, report))
        assert list(seen) == [self.living[name][0] for name in sorted(self.living)]

    @rule(name=names, via=through)
    def leave(self, name: str, via: int) -> None:
        self.run(self.connections[via].leave(name))
        self.living.pop(name, None)
        self.left.add(name)

    @rule(name=names)
    def expire(self, name: str) -> None:
        self.run(self.expired(name))
        self.living.pop(name, None)

    async def expired(self, name: str) -> None:
        await self.deployment.expire(name)

    @rule(via=through)
    def everyone(self, via: int) -> None:
        seen = self.run(self.connections[via].everyone())
        assert list(seen) == [self.living[name] for name in sorted(self.living)]

    @rule(name=names, mailbox=mailboxes, via=through)
    def hold(self, name: str, mailbox: str, via: int) -> None:
        expected = self.holders.get(mailbox, name) == name
        self.holders[mailbox] = name
        assert self.run(self.connections[via].hold(mailbox, name)) is expected

    @rule(name=names, mailbox=mailboxes, via=through)
    def release(self, name: str, mailbox: str, via: int) -> None:
        self.run(self.connections[via].release(mailbox, name))
        if self.holders.get(mailbox) == name:
            del self.holders[mailbox]

    @rule()
    def save(self) -> None:
        restore = self.run(self.saving())
        self.saved = restore, (dict(self.living), set(self.left), dict(self.holders))

    async def saving(self) -> Callable[[], Awaitable[None]]:
        return await self.deployment.save()

    @rule()
    def lose_what_was_not_saved(self) -> None:
        if self.saved is None:
            return
        restore, (living, left, holders) = self.saved
        self.run(self.restoring(restore))
        self.living, self.left, self.holders = dict(living), set(left), dict(holders)

    async def restoring(self, restore: Callable[[], Awaitable[None]]) -> None:
        await restore()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_no_beat_hides_what_the_model_knows(adapter: str, request: pytest.FixtureRequest) -> None:
    url = str(request.getfixturevalue("redis_url")) if adapter == "redis" else ""
    machine = type("Machine", (MembersModel,), {"adapter": adapter, "url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
