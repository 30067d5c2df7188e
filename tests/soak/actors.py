"""The actors of the soak: each keeps what it took, in order, and a total that depends on all of it.

An actor takes a bounded number of messages, since senders go on to the next generation of
ids; so it can keep exactly what it did, and its state stays small.
"""

from __future__ import annotations

import asyncio
from typing import Final

from broker_actors import BusinessError, Ref, Retry, SystemFaultError, actor, method, turn
from broker_actors.core.errors import AskTimeoutError, PlatformError

#: Of asks inside turns.
INNER_TIMEOUT_SECONDS: Final = 4.0
PARTITIONS: Final = 8


@actor(partitions=PARTITIONS, idle_timeout=10.0, retry=Retry(attempts=8, min_backoff=0.2, max_backoff=2.0))
class Account:
    """Adds up amounts."""

    names: tuple[str, ...] = ()
    total: int = 0

    @method
    async def put(self, name: str, amount: int, plan: list[str]) -> list[int]:
        """Take *amount* and return the place of *name*, the total before and the total after.

        Args:
            name: of the message.
            amount: what to add.
            plan: what else the turn does: `tell:a1`, `ask:a1`, `wait:0.1`, `fail` (the first attempt),
                `refuse`.

        """
        before, note = self.total, name
        for number, step in enumerate(plan):
            verb, _, rest = step.partition(":")
            match verb:
                case "tell":
                    await turn.current().ref(AccountRef, rest).put.tell(f"{name}>{number}", 1, [])
                case "ask":
                    note = f"{name}={await _asked(rest, f'{name}?{turn.current().attempt}')}"
                case "wait":
                    await asyncio.sleep(float(rest))
                case "fail" if turn.current().attempt == 1:
                    raise SystemFaultError(f"{name} was to fail")
                case "refuse":
                    raise BusinessError("refused", f"{name} was to be refused")
                case _:
                    continue
        self.names = (*self.names, note)
        self.total = before + amount
        return [len(self.names), before, self.total]

    @method
    def look(self) -> list[int]:
        """Return how many messages it took, and twice the total: a turn that changes nothing."""
        return [len(self.names), self.total, self.total]

    @method
    def hold(self) -> dict[str, object]:
        """Return everything."""
        return {"names": list(self.names), "total": self.total}


class AccountRef(Account, Ref):
    """Typed handle."""


async def _asked(target: str, name: str) -> str:
    """Return what a turn notes of its ask: its name, and the answer if there was one in time."""
    ref = turn.current().ref(AccountRef, target).with_options(timeout=INNER_TIMEOUT_SECONDS)
    try:
        answer = await ref.put(name, 1, [])
    except (AskTimeoutError, PlatformError):
        return name
    return ":".join(map(str, [name, *answer]))
