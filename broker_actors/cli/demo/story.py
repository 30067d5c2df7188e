"""What happens in the demo, step by step, and what must be seen.

A step returns what it saw as text. It did what it says if that is the text it expects, so
what is compared is what is printed. Nothing here waits by the clock: an ask queues behind
the tells before it, a reply leaves after the tells of its turn, and a dead letter is
waited for where it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from broker_actors.cli.demo.actors import InventoryRef, NotifierRef, OrderRef, PaymentRef
from broker_actors.cli.demo.stage import Stage
from broker_actors.cli.letters import take
from broker_actors.core import dead
from broker_actors.core.dead import DeadLetter
from broker_actors.core.errors import BusinessError, IdempotencyConflictError
from broker_actors.core.letters import attempts_of

TELLS: Final = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step saw.

    Attributes:
        text: what is compared with what was expected.
        note: what else is worth knowing; compared with nothing.

    """

    text: str
    note: str = ""


Run: TypeAlias = Callable[[Stage], Awaitable[Seen]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story.

    Attributes:
        name: what it shows.
        does: what happens.
        expected: what must be seen.
        run: does it.

    """

    name: str
    does: str
    expected: str
    run: Run


async def _ask(stage: Stage) -> Seen:
    return Seen(f"{await _tea(stage).receive(10)} in stock")


async def _duplicate(stage: Stage) -> Seen:
    delivery = _tea(stage).with_options(idempotency_key="delivery-7")
    answers = [await delivery.receive(5), await delivery.receive(5)]
    return Seen(f"answers {answers}, {await _tea(stage).count()} in stock")


async def _conflict(stage: Stage) -> Seen:
    try:
        await _tea(stage).with_options(idempotency_key="delivery-7").receive(500)
    except IdempotencyConflictError as error:
        return Seen(f"{error.code}, {await _tea(stage).count()} in stock", error.message)
    return Seen("no conflict")


async def _ask_in_turn(stage: Stage) -> Seen:
    left = await _order(stage).place(_tea(stage).actor_id, 3)
    return Seen(f"{await _order(stage).progress()}, {left} left")


async def _business_error(stage: Stage) -> Seen:
    greedy = stage.system.ref(OrderRef, stage.name("greedy"))
    try:
        await greedy.place(_tea(stage).actor_id, 1_000)
    except BusinessError as error:
        told = await stage.system.ref(NotifierRef, greedy.actor_id).sent()
        order, stock = await greedy.progress(), await _tea(stage).count()
        text = f"{error.code}; order {order}, {stock} in stock, customer told {len(told)} times"
        return Seen(text, f"{error.message}; details {error.details}")
    return Seen("no error")


async def _pay(stage: Stage) -> Seen:
    receipt = await _order(stage).with_options(idempotency_key="pay").pay(1_250)
    charged = await stage.system.ref(PaymentRef, _order(stage).actor_id).charged()
    return Seen(f"paid at attempt {receipt.attempt}, charged {charged} cents in total")


async def _tell(stage: Stage) -> Seen:
    await _order(stage).ship()
    sent = await stage.system.ref(NotifierRef, _order(stage).actor_id).sent()
    return Seen(f"{await _order(stage).progress()}, told {len(sent)} times", " / ".join(sent))


async def _order_kept(stage: Stage) -> Seen:
    notifier = stage.system.ref(NotifierRef, stage.name("news"))
    await stage.stop_worker()
    await asyncio.gather(*(notifier.send.tell("{n}", {"n": str(n)}) for n in range(TELLS)))
    await stage.start_worker()
    sent = await notifier.sent()
    order = "in order" if sent == [str(n) for n in range(TELLS)] else f"out of order: {sent}"
    return Seen(f"{len(sent)} received, {order}")


async def _state_kept(stage: Stage) -> Seen:
    return Seen(f"{await _order(stage).progress()}, {await _tea(stage).count()} in stock")


async def _poison(stage: Stage) -> Seen:
    notifier = stage.system.ref(NotifierRef, stage.name("poisoned"))
    await notifier.send.tell("Dear {name}, your order has shipped", {})
    await notifier.send.tell("the next message", {})
    backend = stage.system.backend

    def is_mine(letter: DeadLetter) -> bool:
        return dead.address_of(letter) == notifier.address

    letter = await take(backend.transport, notifier.address.type, is_mine, backend.clock)
    attempts = attempts_of(letter)
    text = f"{letter.reason} after {len(attempts)} attempts: {letter.error}; then {await notifier.sent()}"
    waits = ", ".join(f"{attempt.after_seconds:.2f}" for attempt in attempts)
    return Seen(text, f"letter {letter.id} from {letter.origin}; attempts after {waits} s")


def _tea(stage: Stage) -> InventoryRef:
    return stage.system.ref(InventoryRef, stage.name("tea"))


def _order(stage: Stage) -> OrderRef:
    return stage.system.ref(OrderRef, stage.name("order"))


STEPS: Final = (
    Step("ask", "10 teas arrive: Inventory.receive(10)", "10 in stock", _ask),
    Step(
        "duplicate",
        "5 more arrive, sent twice with one idempotency key",
        "answers [15, 15], 15 in stock",
        _duplicate,
    ),
    Step(
        "key conflict", "the same key with another quantity", "idempotency_conflict, 15 in stock", _conflict
    ),
    Step("ask in a turn", "an order of 3 asks the inventory", "placed, 12 left", _ask_in_turn),
    Step(
        "business error",
        "an order of 1000 is refused; its turn leaves nothing behind",
        "out_of_stock; order new, 12 in stock, customer told 0 times",
        _business_error,
    ),
    Step(
        "retry",
        "the bank fails twice with a fault; rolled back, retried with backoff",
        "paid at attempt 3, charged 1250 cents in total",
        _pay,
    ),
    Step(
        "replay",
        "the payment is sent again with the same key",
        "paid at attempt 3, charged 1250 cents in total",
        _pay,
    ),
    Step("tell", "the order ships; two turns have each told the customer", "shipped, told 2 times", _tell),
    Step(
        "order", "100 tells to one actor while the worker is stopped", "100 received, in order", _order_kept
    ),
    Step(
        "durable state",
        "the order and the stock after the worker was replaced",
        "shipped, 12 in stock",
        _state_kept,
    ),
    Step(
        "dead letter",
        "a poison message fails every attempt; the one behind it does not",
        "failed after 4 attempts: KeyError: 'name'; then ['the next message']",
        _poison,
    ),
)
