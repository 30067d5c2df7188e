# mypy: ignore-errors
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportAssignmentType=false
"""What both checkers must refuse: every line marked E, and no other. Checked without its first two lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from broker_actors import ActorSystem, Ref, Retry, actor, method, turn
from broker_actors.patterns import CircuitBreaker, Retrying, broadcast, each
from tests.typing.good import Cart, Counter, CounterRef


async def asks(counter: CounterRef) -> None:
    await counter.increment("5")  # E
    await counter.increment(5, 6)  # E
    await counter.increment(m=5)  # E
    await counter.fetch()  # E
    await counter.incremnt(5)  # E
    await counter.ask(Counter.increment, "5")  # E
    await counter.ask(Counter.tokens, "p")  # E
    _: str = await counter.increment(5)  # E


async def many(counter: CounterRef, system: ActorSystem) -> None:
    await broadcast([counter]).ask(Counter.increment, "5")  # E
    await broadcast([counter]).ask(Counter.tokens, "p")  # E
    await broadcast([counter]).tell(Counter.increment, m=5)  # E
    await broadcast(["c1"]).tell(Counter.increment, 5)  # E
    await system.group(CounterRef, "all").join(system.ref(Cart, "u1"))  # E
    await each(counter.increment, ["a"])  # E
    await each(counter.increment, [1], concurrency="3")  # E
    await CircuitBreaker("c").call(counter.increment, "5")  # E
    await Retrying().call(counter.increment, m=5)  # E


async def tells(counter: CounterRef) -> None:
    await counter.increment.tell("5")  # E
    await counter.increment.tell(m=5)  # E
    await counter.increment.tell_after(n=5)  # E
    await counter.increment.tell_at(datetime(2030, 1, 1, tzinfo=UTC), "5")  # E
    await counter.increment.tell_at(30, 5)  # E
    await counter.increment.tell_after("30", 5)  # E
    await counter.increment.tell_after(timedelta(seconds=30), "5")  # E


async def streams(counter: CounterRef) -> None:
    async for _ in counter.fetch("u"):  # E
        pass
    async for _ in counter.tokens(5):  # E
        pass


async def options(counter: CounterRef) -> None:
    counter.with_options(timeout="2")  # E
    counter.with_options(delay=2)  # E


async def contracts(cart: Cart) -> None:
    await cart.add("tea", 2)  # E
    await cart.remove("tea")  # E


async def systems(system: ActorSystem) -> None:
    system.ref(Counter, "c1")  # E
    system.ref(CounterRef, 5)  # E
    turn.current().ref(Counter, "c1")  # E
    _ = turn.current().attempts  # E


@actor(partitions="8")  # E
class Texts: ...


@actor(mailbox="private")  # E
class Choices: ...


@actor(partition=8)  # E
class Typos: ...


class Methods:
    @method.options(run_in="fiber")  # E
    def place(self) -> None: ...

    @method.options(retry=3)  # E
    def again(self) -> None: ...

    @method.options(retry=Retry(attempts=3))
    def fine(self, n: int) -> None:
        self.fine(n)
        self.fine(str(n))  # E


class Fine(Ref): ...
