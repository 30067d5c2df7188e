"""Orders that expire, and branches that report."""

from broker_actors import Ref, actor, method, turn
from broker_actors.schedules import cron, every, forget, remind, reminders, start_timer


@actor
class Order:
    """An order that has to be paid within two days."""

    state: str = "new"
    expiry: str = ""

    @method
    async def place(self) -> None:
        me = turn.current().ref(OrderRef, turn.current().actor_id)
        handle = await me.expire.tell_after(2 * 86_400)
        self.state, self.expiry = "placed", handle.id

    @method
    async def pay(self) -> None:
        await turn.current().scheduled(self.expiry).cancel()
        self.state = "paid"

    @method
    def expire(self) -> None:
        self.state = "expired"

    @method
    def read(self) -> str:
        return self.state


class OrderRef(Order, Ref):
    """A typed handle on an order."""


@actor
class Branch:
    """A branch that reports in the evening and counts its stock every hour."""

    reports: list[str]
    counts: int = 0
    _polls: int = 0

    def __init__(self) -> None:
        self.reports = []

    def activate(self) -> None:
        start_timer("poll", 60, self.poll)

    @method
    async def open(self, zone: str) -> None:
        await remind("report", cron("0 18 * * mon-fri", zone), self.report, "daily")
        await remind("stock", every(3600, missed="skip"), self.count)

    @method
    async def close(self) -> None:
        for reminder in await reminders():
            await forget(reminder.name)

    @method
    def report(self, kind: str) -> None:
        self.reports.append(kind)

    @method
    def count(self) -> None:
        self.counts += 1

    @method
    def poll(self) -> None:
        self._polls += 1

    @method
    def figures(self) -> tuple[int, int, int]:
        return len(self.reports), self.counts, self._polls


class BranchRef(Branch, Ref):
    """A typed handle on a branch."""
