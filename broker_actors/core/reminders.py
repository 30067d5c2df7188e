"""Reminders: when an actor is to be called again, and what becomes of a call that comes late.

A reminder is kept with its actor and says when its next tick is due; a tick is an envelope with
the key `remind:<name>@<due>`. Invariants: only the tick that the reminder waits for counts, any
other one is void; and whatever becomes of that one, the reminder waits for a later one after it,
or for none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from broker_actors.core import codec
from broker_actors.core.address import Address
from broker_actors.core.envelope import Envelope, to_wire
from broker_actors.core.errors import ConfigurationError, PayloadTooLargeError, Plain, UndecodableError
from broker_actors.core.outgoing import Destination, Outgoing
from broker_actors.core.rhythm import At, Cron, Every, Missed, Plan, Rhythm, next_ms

#: Of one actor.
REMINDERS_MAX: Final = 100
#: Of the arguments of one: they lie in the store for as long as it does.
BODY_BYTES_MAX: Final = 64 * 1_024
NAME_BYTES_MAX: Final = 200
#: A tick that comes later than this was missed, for those that skip what they missed.
LATE_MS_MAX: Final = 60_000
#: Missed ticks in a row that are made up for; what is older than the present then is skipped.
MADE_UP_MAX: Final = 1_000
_KEY: Final = "remind:"
_LAYOUT: Final = 1
_PACKED_BYTES_MAX: Final = 2 * BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder of one actor.

    Attributes:
        name: by which it is replaced, listed and removed.
        plan: when it ticks.
        method: what a tick calls.
        body: the encoded arguments.
        content_type: how they are encoded.
        due_ms: when the next tick is due, Unix milliseconds.
        made_up: how many missed ticks in a row were run late.

    """

    name: str
    plan: Plan
    method: str
    body: bytes
    content_type: str
    due_ms: int
    made_up: int = 0

    @property
    def key(self) -> str:
        """The key of the next tick."""
        return f"{_KEY}{self.name}@{self.due_ms}"

    def is_like(self, other: Reminder) -> bool:
        """Return whether *other* was declared in the same words: then it is the same."""
        return self._declared() == other._declared()

    def awaits(self, tick: Envelope) -> bool:
        """Return whether *tick* is the one it waits for."""
        wanted = (self.key, self.method, self.body)
        return wanted == (tick.key, tick.method, tick.body)

    def tick(self, address: Address, now_ms: int) -> Outgoing:
        """Return the next tick of *address*, to be sent now."""
        envelope = Envelope(
            address,
            self.method,
            self.body,
            self.content_type,
            key=self.key,
            reminder=self.name,
            sent_seconds=now_ms // 1000,
        )
        destination = Destination.DELAY if self.due_ms > now_ms else Destination.MAILBOX
        return Outgoing(destination, to_wire(envelope), self.due_ms)

    def pack(self) -> bytes:
        """Return it as the bytes a store keeps."""
        fields = [
            *(_LAYOUT, self.name, _fields(self.plan.rhythm), self.plan.missed.value, self.plan.start_ms),
            *(self.method, self.body, self.content_type, self.due_ms, self.made_up),
        ]
        return codec.encode(fields, what="reminder", bytes_max=_PACKED_BYTES_MAX)

    def _declared(self) -> tuple[object, ...]:
        rhythm = self.plan.rhythm
        # When it began is no part of what was said, unless it was said.
        known = (
            replace(rhythm, first_ms=0) if isinstance(rhythm, Every) and not self.plan.start_ms else rhythm
        )
        return known, self.plan.missed, self.plan.start_ms, self.method, self.body, self.content_type


@dataclass(frozen=True, slots=True)
class Ticked:
    """What becomes of a reminder whose tick has come.

    Attributes:
        runs: whether the tick is run, or was missed.
        after: the reminder as it waits from now on; None if that was the last one.

    """

    runs: bool
    after: Reminder | None


def unpack(data: bytes) -> Reminder:
    """Return the reminder in *data*.

    Raises:
        UndecodableError: it is none, or one of a later release.

    """
    match codec.decode(data, bytes_max=_PACKED_BYTES_MAX):
        case [
            1,
            str(name),
            list(rhythm),
            str(missed),
            int(start_ms),
            str(method),
            bytes(body),
            str(content_type),
            int(due_ms),
            int(made_up),
        ] if missed in set(Missed):
            plan = Plan(_rhythm(rhythm), Missed(missed), start_ms)
            return Reminder(name, plan, method, body, content_type, due_ms, made_up)
        case other:
            raise UndecodableError(f"not a reminder of this release: {other!r:.80}")


def judge(reminder: Reminder, now_ms: int) -> Ticked:
    """Decide about the tick that *reminder* waits for, which has come."""
    rhythm, due_ms = reminder.plan.rhythm, reminder.due_ms
    if reminder.plan.missed is Missed.ALL:
        following_ms, made_up = next_ms(rhythm, due_ms), 0
        if following_ms is not None and following_ms <= now_ms:
            made_up = reminder.made_up + 1
        if made_up >= MADE_UP_MAX:
            following_ms, made_up = next_ms(rhythm, now_ms), 0
        return Ticked(runs=True, after=_after(reminder, following_ms, made_up))
    runs = reminder.plan.missed is Missed.ONCE or now_ms - due_ms <= LATE_MS_MAX
    return Ticked(runs=runs, after=_after(reminder, next_ms(rhythm, max(due_ms, now_ms)), 0))


def check_name(name: str) -> str:
    """Return *name* if a reminder can have it.

    Raises:
        ConfigurationError: it is empty, too long or cannot be printed.

    """
    if not name or not name.isprintable() or len(name.encode()) > NAME_BYTES_MAX:
        text = f"a reminder's name has 1 to {NAME_BYTES_MAX} bytes that can be printed: {name!r:.99}"
        raise ConfigurationError(text)
    return name


def check_body(name: str, body: bytes) -> bytes:
    """Return *body* if it can be that of the reminder *name*.

    Raises:
        PayloadTooLargeError: it is over its limit.

    """
    if len(body) > BODY_BYTES_MAX:
        text = (
            f"reminder {name!r} has arguments of {len(body):,} bytes, the limit is {BODY_BYTES_MAX:,}: "
            "keep them in the actor's state"
        )
        raise PayloadTooLargeError(text)
    return body


def id_of(name: str) -> str:
    """Return the key by which people name the reminder *name*: that of its ticks without their time."""
    return f"{_KEY}{name}"


def name_in(key: str) -> str:
    """Return the name of the reminder with the id *key*; empty if it is none."""
    return key.removeprefix(_KEY) if key.startswith(_KEY) else ""


def _after(reminder: Reminder, due_ms: int | None, made_up: int) -> Reminder | None:
    return None if due_ms is None else replace(reminder, due_ms=due_ms, made_up=made_up)


def _fields(rhythm: Rhythm) -> list[object]:
    match rhythm:
        case Every(period_ms=period_ms, first_ms=first_ms):
            return ["every", period_ms, first_ms]
        case At(at_ms=at_ms):
            return ["at", at_ms]
        case Cron(expression=expression, zone=zone):
            return ["cron", expression, zone]


def _rhythm(fields: list[Plain]) -> Rhythm:
    match fields:
        case ["every", int(period_ms), int(first_ms)]:
            return Every(period_ms, first_ms)
        case ["at", int(at_ms)]:
            return At(at_ms)
        case ["cron", str(expression), str(zone)]:
            return Cron(expression, zone)
        case other:
            raise UndecodableError(f"not a rhythm of this release: {other!r:.80}")
