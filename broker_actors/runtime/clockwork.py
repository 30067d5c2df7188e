"""What a turn asks to happen later, beside delayed tells: reminders and timers of its actor.

Invariant: what is asked for becomes so together with the turn's commit, or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from broker_actors.core import body
from broker_actors.core.address import Address
from broker_actors.core.envelope import MSGPACK
from broker_actors.core.errors import ConfigurationError, UndecodableError
from broker_actors.core.light import dataclass
from broker_actors.core.outgoing import Outgoing
from broker_actors.core.reminders import REMINDERS_MAX, Reminder, check_body, check_name, unpack
from broker_actors.core.rhythm import Plan, begun
from broker_actors.ports.calling import Call
from broker_actors.ports.clock import Clock
from broker_actors.ports.reminders import ReminderChange, Reminders


@dataclass(frozen=True, slots=True)
class Wound:
    """What of the reminders is part of a commit.

    Attributes:
        changes: what becomes of them.
        ticks: what is sent for that.

    """

    changes: Sequence[ReminderChange] = ()
    ticks: Sequence[Outgoing] = ()


NOT_WOUND: Final = Wound()
NO_TIMERS: Final[Mapping[str, TimerPlan | None]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TimerPlan:
    """What a timer calls, and how often.

    Attributes:
        period_seconds: from the end of one tick to the next.
        method: what it calls.
        body: the encoded arguments.
        content_type: how they are encoded.

    """

    period_seconds: float
    method: str
    body: bytes
    content_type: str = MSGPACK


class Clockwork:
    """Reminders and timers as one run of a turn changes them. Implements `actor.context.Reminding`."""

    def __init__(self, address: Address, store: Reminders, clock: Clock, *, is_durable: bool) -> None:
        self._address = address
        self._store = store
        self._clock = clock
        self._is_durable = is_durable
        #: What this run has made of them; None for none.
        self._changed: dict[str, Reminder | None] = {}
        #: The timers it starts; None for those it stops.
        self.timers: dict[str, TimerPlan | None] = {}

    async def remind(self, name: str, plan: Plan, call: Call) -> None:
        """Have the method of *call* called by *plan*; the same declaration again changes nothing.

        Raises:
            ConfigurationError: the actor keeps no state or has too many of them, or the name or the
                plan cannot be.
            PayloadTooLargeError: the arguments are over their limit.
            StoreUnavailableError: the store does not answer.

        """
        known = await self._known()
        content_type = call.options.content_type or MSGPACK
        encoded = body.encode(call.args, call.kwargs, content_type, simplify=call.simplify)
        rhythm, due_ms = begun(plan.rhythm, plan.start_ms, self._clock.now_ms())
        fixed = Plan(rhythm, plan.missed, plan.start_ms)
        wanted = Reminder(
            check_name(name), fixed, call.method, check_body(name, encoded), content_type, due_ms
        )
        old = known.get(name)
        if old is not None and old.is_like(wanted):
            return
        if old is None and len(known) >= REMINDERS_MAX:
            text = f"{self._address} has {REMINDERS_MAX} reminders already: let one of them do more"
            raise ConfigurationError(text)
        self._changed[name] = wanted

    async def forget(self, name: str) -> bool:
        """Remove the reminder *name*; return whether there was one. Raises `StoreUnavailableError`."""
        is_known = name in await self._known()
        self._changed[name] = None
        return is_known

    async def reminders(self) -> Sequence[Reminder]:
        """Return the reminders the actor has, due first first. Raises `StoreUnavailableError`."""
        return sorted((await self._known()).values(), key=lambda one: (one.due_ms, one.name))

    def start_timer(self, name: str, period_seconds: float, call: Call) -> None:
        """Have *call* made regularly, as long as the actor stays in memory; replaces one of that name."""
        encoded = body.encode(call.args, call.kwargs, simplify=call.simplify)
        self.timers[check_name(name)] = TimerPlan(period_seconds, call.method, encoded)

    def stop_timer(self, name: str) -> None:
        """Stop a timer; nothing if there is none."""
        self.timers[name] = None

    def wound(self) -> Wound:
        """Return what the commit is to contain."""
        now_ms = self._clock.now_ms()
        changes = [change_of(name, one) for name, one in self._changed.items()]
        ticks = [one.tick(self._address, now_ms) for one in self._changed.values() if one is not None]
        return Wound(changes, ticks)

    async def _known(self) -> dict[str, Reminder]:
        if not self._is_durable:
            text = f"{self._address} keeps nothing in the store (at_least_once), so it cannot be reminded"
            raise ConfigurationError(text)
        stored = await self._store.reminders(self._address)
        readable = {name: one for name, data in stored.items() if (one := _read(data)) is not None}
        changed = {name: one for name, one in self._changed.items() if one is not None}
        kept = {name: one for name, one in readable.items() if name not in self._changed}
        return {**kept, **changed}


def change_of(name: str, reminder: Reminder | None, instead_of: bytes | None = None) -> ReminderChange:
    """Return the change that makes *reminder* what *name* is."""
    if reminder is None:
        return ReminderChange(name, None, instead_of=instead_of)
    return ReminderChange(name, reminder.pack(), reminder.due_ms, instead_of)


def _read(data: bytes) -> Reminder | None:
    try:
        return unpack(data)
    except UndecodableError:
        # Of a later release: it ticks there, and whoever declares it here replaces it.
        return None
