"""A caller and a turn that record what they are asked to do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field

from broker_actors.core.address import Address
from broker_actors.core.errors import Plain, PlatformError
from broker_actors.core.limiting import Terms
from broker_actors.core.reminders import Reminder
from broker_actors.core.rhythm import Plan
from broker_actors.core.scheduled import Scheduled
from broker_actors.ports.calling import Call, Values, When
from broker_actors.ports.places import HeldPlace


@dataclass
class RecordedValues:
    """Yields what it was given."""

    left: list[Plain]
    call_id: str = "Counter/c1/s:1"
    seq: int = 0
    closed: int = 0

    async def __anext__(self) -> Plain:
        if not self.left:
            raise StopAsyncIteration
        self.seq += 1
        return self.left.pop(0)

    async def aclose(self) -> None:
        self.closed += 1

    def abandon(self) -> None:
        self.closed += 1


@dataclass
class RecordingCaller:
    """Answers every ask with `answer`."""

    answer: Plain = None
    yields: Sequence[Plain] = ()
    streams: list[RecordedValues] = field(default_factory=list)
    asked: list[Call] = field(default_factory=list)
    told: list[Call] = field(default_factory=list)
    scheduled: list[tuple[Call, When]] = field(default_factory=list)
    cancelled: list[Scheduled] = field(default_factory=list)

    async def ask(self, call: Call) -> Plain:
        self.asked.append(call)
        return self.answer

    def stream(self, call: Call) -> Values:
        self.asked.append(call)
        self.streams.append(RecordedValues(list(self.yields)))
        return self.streams[-1]

    async def tell(self, call: Call) -> None:
        self.told.append(call)

    async def schedule(self, call: Call, when: When) -> Scheduled:
        self.scheduled.append((call, when))
        return Scheduled(call.address, "d:1", call.method, when.due_ms(0))

    async def cancel(self, entry: Scheduled) -> bool:
        self.cancelled.append(entry)
        return True

    async def tell_all(self, calls: Sequence[Call]) -> Sequence[PlatformError | None]:
        for call in calls:
            await self.tell(call)
        return [None] * len(calls)


@dataclass
class RecordingClockwork:
    """Keeps what it is asked for."""

    wound: list[tuple[str, Plan, Call]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    known: list[Reminder] = field(default_factory=list)
    timers: dict[str, tuple[float, Call]] = field(default_factory=dict)

    async def remind(self, name: str, plan: Plan, call: Call) -> None:
        self.wound.append((name, plan, call))

    async def forget(self, name: str) -> bool:
        self.forgotten.append(name)
        return True

    async def reminders(self) -> Sequence[Reminder]:
        return self.known

    def start_timer(self, name: str, period_seconds: float, call: Call) -> None:
        self.timers[name] = (period_seconds, call)

    def stop_timer(self, name: str) -> None:
        del self.timers[name]


@dataclass
class RecordingTurn(RecordingCaller):
    """A turn of `Teller/t1`, run by nobody."""

    id: str = "Teller/t1/n:s:1"
    address: Address = field(default_factory=lambda: Address("Teller", "t1"))
    method: str = "pass_on"
    attempt: int = 2
    epoch: int = 7
    resume_from: int = 0
    key: str = "order-42"
    deadline_ms: int = 0
    chain: tuple[str, ...] = ("Teller/t1",)
    finished: bool = False
    sections: list[str] = field(default_factory=list)
    clockwork: RecordingClockwork = field(default_factory=RecordingClockwork)

    def limiter(self, name: str, terms: Terms) -> AbstractAsyncContextManager[HeldPlace, bool | None]:
        raise NotImplementedError

    def all_or_nothing(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    @asynccontextmanager
    async def section(self) -> AsyncGenerator[None]:
        self.sections.append("open")
        try:
            yield
        except BaseException as error:
            self.sections.append(repr(error))
            raise
        self.sections.append("committed")
