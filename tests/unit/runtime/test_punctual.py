"""Deliveries that are held until they are due: looked after whenever they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker_actors.adapters.clock import SystemClock
from broker_actors.core.events import Event, Trouble
from broker_actors.core.wire import WireMessage
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.punctual import Held, Punctual


@dataclass(frozen=True, slots=True)
class Parcel:
    """Implements `ports.transport.Delivery`."""

    name: str
    message: WireMessage = field(default_factory=WireMessage)
    mailbox: str = "actors.due"
    redelivered: bool = False

    def ack(self) -> None:
        """Do nothing."""


class Office:
    """Passes on at once, and takes note of it."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.troubles: list[Event] = []
        self.passed: list[str] = []
        self.is_broken = False
        self.given_back = asyncio.Event()
        self.subscription = Subscription("actors.due", "", self.given_back.set)
        self.punctual = Punctual(self.clock, self, self.begin)

    def observe(self, event: Event) -> None:
        """Keep *event*."""
        self.troubles.append(event)

    def hold(self, name: str, in_ms: int = 0) -> None:
        """Hold a parcel that is due so soon."""
        self.punctual.hold(Held(self.subscription, Parcel(name)), self.clock.now_ms() + in_ms)

    async def begin(self, batch: Sequence[Held]) -> Sequence[asyncio.Task[None]]:
        """Pass *batch* on."""
        if self.is_broken:
            raise RuntimeError("a bug")
        self.passed += [held.delivery.name for held in batch if isinstance(held.delivery, Parcel)]
        return []

    async def has_passed(self, *names: str) -> None:
        """Return when these were passed on, in this order."""
        async with asyncio.timeout(10):
            while len(self.passed) < len(names):  # noqa: ASYNC110 - what passes it on is what is tested
                await asyncio.sleep(0)
        assert self.passed == list(names)


async def test_what_comes_later_and_is_due_earlier_goes_first() -> None:
    office = Office()
    office.hold("later", 80)
    await asyncio.sleep(0)
    office.hold("earlier", 30)
    await office.has_passed("earlier", "later")


async def test_what_comes_as_the_last_one_has_gone_goes_too() -> None:
    office, names = Office(), list[str]()
    # Whatever number of steps lies between the last look and its end.
    for steps in range(12):
        names.append(f"after {steps} steps")
        office.hold(names[-1])
        for _ in range(steps):
            await asyncio.sleep(0)
    await office.has_passed(*names)


async def test_what_the_broker_has_back_is_not_passed_on() -> None:
    office = Office()
    office.hold("gone", 20)
    office.subscription.lose()
    office.subscription = Subscription("actors.due", "", office.given_back.set)
    office.hold("here", 40)
    await office.has_passed("here")


async def test_a_bug_gives_everything_back_and_says_so() -> None:
    office = Office()
    office.is_broken = True
    office.hold("only")
    async with asyncio.timeout(10):
        await office.given_back.wait()
        while not office.troubles:  # noqa: ASYNC110 - said by the end of the task, a step later
            await asyncio.sleep(0)
    assert [isinstance(one, Trouble) for one in office.troubles] == [True]
