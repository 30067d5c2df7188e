"""The actors the acceptance tests talk to."""

from __future__ import annotations

from broker_actors import BusinessError, Ref, Retry, actor, method, turn
from broker_actors.core import codec

TWICE = Retry(attempts=3, min_backoff=0.01, max_backoff=0.05)


@actor(partitions=2, retry=TWICE)
class Counter:
    """Counts, refuses, fails, and knows what it saw."""

    value: int = 0
    seen: str = ""

    @method
    def increment(self, n: int = 1) -> int:
        self.value += n
        return self.value

    @method
    def get(self) -> int:
        return self.value

    @method
    def append(self, text: str) -> None:
        self.seen += text

    @method
    def read(self) -> str:
        return self.seen

    @method
    async def refuse(self, n: int) -> int:
        self.value += n
        raise BusinessError("too_much", f"{n} is too much", {"limit": 10})

    @method
    def fail(self, n: int) -> int:
        self.value += n
        text = "boom"
        raise ValueError(text)

    @method
    def fail_before(self, attempt: int) -> int:
        if turn.current().attempt < attempt:
            text = f"attempt {turn.current().attempt}"
            raise RuntimeError(text)
        self.value += 1
        return turn.current().attempt


class CounterRef(Counter, Ref):
    """Typed handle."""


@actor(partitions=2, retry=TWICE)
class Giver:
    """Returns what cannot be sent."""

    @method
    def give(self, problem: str) -> object:
        things = {
            "an object": object(),
            "too large": "x" * (codec.BODY_BYTES_MAX + 1),
            "too long a number": 2**64,
        }
        return things[problem]


class GiverRef(Giver, Ref):
    """Typed handle."""


@actor(partitions=2)
class Teller:
    """Tells and asks counters from inside its turns."""

    sent: int = 0

    @method
    async def pass_on(self, counter: str, times: int) -> int:
        for _ in range(times):
            await turn.current().ref(CounterRef, counter).increment.tell(1)
        self.sent += times
        return self.sent

    @method
    async def pass_on_and_fail(self, counter: str) -> None:
        await turn.current().ref(CounterRef, counter).increment.tell(1)
        self.sent += 1
        raise BusinessError("changed_my_mind")

    @method
    async def fetch(self, counter: str) -> int:
        return await turn.current().ref(CounterRef, counter).get()

    @method
    async def ask_myself(self) -> int:
        return await turn.current().ref(TellerRef, turn.current().actor_id).ask_myself()

    @method
    async def tell_then_ask(self, counter: str) -> int:
        ref = turn.current().ref(CounterRef, counter)
        await ref.increment.tell(1)
        return await ref.get()

    @method
    def get(self) -> int:
        return self.sent


class TellerRef(Teller, Ref):
    """Typed handle."""


@actor(mailbox="dedicated")
class Lamp:
    """A named singleton with a mailbox of its own."""

    on: bool = False

    @method
    def switch(self) -> bool:
        self.on = not self.on
        return self.on


class LampRef(Lamp, Ref):
    """Typed handle."""


@actor(partitions=1, delivery="at_least_once")
class Echo:
    """Remembers nothing."""

    @method
    def say(self, text: str) -> str:
        return text


class EchoRef(Echo, Ref):
    """Typed handle."""
