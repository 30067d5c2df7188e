"""What clients do in a seed, and what they learn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from random import Random
from typing import Final, cast

from broker_actors import ActorSystem
from broker_actors.core.dead import Reason
from broker_actors.core.errors import ActorError, AskTimeoutError, PlatformError
from tests.simulation.actors import BookRef
from tests.simulation.scenarios import Scenario
from tests.simulation.world import World

ACTORS: Final = ("b1", "b2", "b3", "b4")
ASK_TIMEOUT_SECONDS: Final = 8.0
#: How often a client calls with the same key before it gives up.
KEYED_TRIES: Final = 3


class Form(StrEnum):
    """How a call is made."""

    TELL = "tell"
    ASK = "ask"
    KEYED_TELL = "keyed tell"
    KEYED_ASK = "keyed ask"
    DELAYED = "delayed tell"
    CANCELLED = "delayed tell, cancelled"


class Outcome(StrEnum):
    """What the caller knows at the end."""

    NOT_CALLED = "not called"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    ANSWERED = "answered"
    #: The actor answered with an error: the call has no effect.
    FAILED = "failed"
    #: It was called off in time: it has no effect.
    CALLED_OFF = "called off"


@dataclass(slots=True, eq=False)
class Call:
    """One call of one client.

    Attributes:
        name: of the message.
        line: who makes it, one call after the other.
        actor: its target.
        form: how it is made.
        plan: what its turn does.
        burst: calls of one line with the same number are under way together.
        outcome: what the caller knows.
        value: what was answered.
        began: when, by the history.
        ended: when, by the history.
        began_seconds: virtual time.
        ended_seconds: virtual time.
        blocks: whether others wait for it when it fails.
        sections: how many its turn has; 0 for a turn of the lane.
        ticks: how many times the actor is to be reminded; 0 for what is no reminder.
        patience_seconds: after how long it is cancelled, if it is.

    """

    name: str
    line: str
    actor: str
    form: Form
    plan: list[str]
    burst: int = 0
    outcome: Outcome = Outcome.NOT_CALLED
    value: int = 0
    began: int = 0
    ended: int = 0
    began_seconds: float = 0.0
    ended_seconds: float = 0.0
    blocks: bool = False
    sections: int = 0
    ticks: int = 0
    patience_seconds: float = 0.0

    @property
    def effects(self) -> list[str]:
        """The names of what it leaves, in order."""
        return [f"{self.name}~{n}" for n in range(self.sections)] or [self.name]

    @property
    def ends_as(self) -> str:
        """Why it becomes a dead letter; empty if it does not."""
        if "kill" in self.plan:
            return Reason.CRASHED
        return Reason.REJECTED if "reject" in self.plan else ""

    @property
    def in_order(self) -> bool:
        """Whether its place among the others of its line is promised, if it was confirmed at once."""
        passes = not self.blocks and any(step.startswith("fail") for step in self.plan)
        is_plain = self.form in {Form.TELL, Form.ASK} and not passes and not self.sections
        return is_plain and self.outcome in {Outcome.CONFIRMED, Outcome.ANSWERED}


@dataclass(slots=True)
class Workload:
    """The calls of one seed, by client and line."""

    clients: dict[str, list[list[Call]]] = field(default_factory=dict[str, list[list[Call]]])

    @property
    def calls(self) -> list[Call]:
        """All of them."""
        return [call for lines in self.clients.values() for line in lines for call in line]


def drawn(scenario: Scenario, random: Random) -> Workload:
    """Return what the clients of a seed will do."""
    workload = Workload()
    for client in ("c1", "c2"):
        lines = workload.clients[client] = []
        for n in range(random.randint(1, 3 if scenario.poison else 2)):
            name = f"{client}.{n}"
            count = random.randint(3, 6)
            # Mostly one and the same actor, so that there is order to keep.
            favourite = random.choice(ACTORS)
            line = [_call(f"{name}.{i}", name, favourite, scenario, random) for i in range(count)]
            if scenario.poison:
                _poison(line, random)
            _join(line, random)
            lines.append(line)
        if scenario.poison:
            break
    return workload


def _poison(line: list[Call], random: Random) -> None:
    """Put a message among others that nobody survives, and perhaps one that takes long."""
    killer, innocent = line[1], line[2]
    asks = [step for step in killer.plan if step.startswith("ask")]
    killer.form, killer.plan = Form.TELL, [*asks, *random.choice(([], [], ["wait:0.3"], ["wait:7"])), "kill"]
    if random.random() < 0.5:
        innocent.plan.append(f"wait:{random.choice((2, 8, 20))}")


def _join(line: list[Call], random: Random) -> None:
    """Let some tells that follow each other be published without waiting between."""
    for before, call in pairwise(line):
        are_tells = before.form is Form.TELL and call.form is Form.TELL
        call.burst = before.burst + (0 if are_tells and random.random() < 0.6 else 1)


def _call(name: str, line: str, favourite: str, scenario: Scenario, random: Random) -> Call:
    forms, weights = tuple(Form), (10, 6, 2, 2, 1, 0)
    actor = favourite if random.random() < 0.7 else random.choice(ACTORS)
    plan: list[str] = []
    others = [one for one in ACTORS if one != actor]
    # Two that ask each other wait for nothing but their deadlines.
    may_ask = [one for one in others if scenario.disturbs or one > actor]
    asked = random.choice(may_ask) if may_ask and random.random() < scenario.inner else ""
    if asked:
        plan.append(f"ask:{asked}")
    if random.random() < scenario.sends:
        plan += [f"tell:{random.choice(others)}" for _ in range(random.randint(1, 2))]
    # An ask must not overtake a tell to the same actor.
    plan = [step for step in plan if step != f"tell:{asked}"]
    if random.random() < 0.15:
        plan.append(f"wait:{random.choice((0.01, 0.3))}")
    chance = random.random()
    if chance < 0.10:
        plan.append(f"fail:{random.randint(1, 2)}")
    elif chance < 0.14:
        plan.append("reject")
    call = Call(name, line, actor, random.choices(forms, weights)[0], plan, blocks=scenario.blocks)
    if scenario.sections and random.random() < scenario.sections:
        # What a section wrote stays, so that nothing of such a turn can be rejected.
        call.plan = [step for step in plan if step.split(":")[0] in {"tell", "wait", "fail"}]
        call.sections = random.randint(1, 3)
    if scenario.timed and random.random() < scenario.timed:
        _time(call, random)
    return call


def _time(call: Call, random: Random) -> None:
    """Make a reminder of *call*, or a tell that is cancelled."""
    if random.random() < 0.5:
        call.plan, call.ticks = [], random.randint(1, 4)
        return
    # Before it is due, when it is, and after that.
    call.form, call.patience_seconds = Form.CANCELLED, random.choice((0.0, 0.9, 1.0, 1.1, 2.5))


async def make(call: Call, system: ActorSystem, world: World) -> None:
    """Make *call* and write down what comes of it."""
    call.outcome = Outcome.UNKNOWN
    world.note("calls", f"{call.form} {call.name} to {call.actor}", call.plan)
    call.began, call.began_seconds = len(world.history), world.loop.now_seconds
    for _ in range(KEYED_TRIES if call.form in {Form.KEYED_ASK, Form.KEYED_TELL} else 1):
        await _try(call, system, world)
        if call.outcome is not Outcome.UNKNOWN:
            break
    world.note(f"{call.outcome}", call.name, call.value)
    call.ended, call.ended_seconds = len(world.history), world.loop.now_seconds


async def _try(call: Call, system: ActorSystem, world: World) -> None:
    # Who knows no class asks the store for the layout.
    untyped = system.ref("Book", call.actor) if call.line.endswith(".1") else None
    ref = cast("BookRef", untyped) if untyped else system.ref(BookRef, call.actor)
    try:
        if call.form is Form.CANCELLED:
            call.outcome = await _called_off(call, ref)
            return
        call.value = await (_jot(call, ref) if call.sections else _note(call, ref))
        call.outcome = Outcome.ANSWERED if call.value else Outcome.CONFIRMED
        is_set_back = world.set_back >= call.began > 0
        if (
            call.value
            and not is_set_back
            and not world.store.has_committed(call.actor, f"{call.effects[-1]}#")
        ):
            world.problems.append(f"{call.form} {call.name} was answered before its turn was committed")
    except ActorError as error:
        world.note("answered", call.name, repr(error))
        call.outcome = Outcome.FAILED
    except (PlatformError, AskTimeoutError) as error:
        world.note("failed", call.name, repr(error))
        await asyncio.sleep(0.1)


async def _called_off(call: Call, ref: BookRef) -> Outcome:
    handle = await ref.note.tell_after(1, call.name, call.plan)
    await asyncio.sleep(call.patience_seconds)
    return Outcome.CALLED_OFF if await handle.cancel() else Outcome.CONFIRMED


async def _wind(call: Call, ref: BookRef) -> int:
    if call.form in {Form.TELL, Form.DELAYED}:
        await ref.wind.tell(call.name, call.ticks)
        return 0
    keyed = ref.with_options(idempotency_key=call.name, timeout=ASK_TIMEOUT_SECONDS)
    if call.form is Form.KEYED_TELL:
        await keyed.wind.tell(call.name, call.ticks)
        return 0
    asked = keyed if call.form is Form.KEYED_ASK else ref.with_options(timeout=ASK_TIMEOUT_SECONDS)
    return await asked.wind(call.name, call.ticks)


async def _note(call: Call, ref: BookRef) -> int:
    if call.ticks:
        return await _wind(call, ref)
    options = ref.with_options(timeout=ASK_TIMEOUT_SECONDS)
    keyed = ref.with_options(idempotency_key=call.name, timeout=ASK_TIMEOUT_SECONDS)
    match call.form:
        case Form.TELL:
            await ref.note.tell(call.name, call.plan)
        case Form.KEYED_TELL:
            await keyed.note.tell(call.name, call.plan)
        case Form.DELAYED:
            await ref.note.tell_after(1, call.name, call.plan)
        case Form.ASK:
            return await options.note(call.name, call.plan)
        case Form.KEYED_ASK:
            return await keyed.note(call.name, call.plan)
        case Form.CANCELLED:
            raise AssertionError(call)
    return 0


async def _jot(call: Call, ref: BookRef) -> int:
    options = ref.with_options(timeout=ASK_TIMEOUT_SECONDS)
    keyed = ref.with_options(idempotency_key=call.name, timeout=ASK_TIMEOUT_SECONDS)
    match call.form:
        case Form.TELL:
            await ref.jot.tell(call.name, call.plan, call.sections)
        case Form.KEYED_TELL:
            await keyed.jot.tell(call.name, call.plan, call.sections)
        case Form.DELAYED:
            await ref.jot.tell_after(1, call.name, call.plan, call.sections)
        case Form.ASK:
            return await options.jot(call.name, call.plan, call.sections)
        case Form.KEYED_ASK:
            return await keyed.jot(call.name, call.plan, call.sections)
        case Form.CANCELLED:
            raise AssertionError(call)
    return 0
