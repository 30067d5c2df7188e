"""In the broker's own UI a person can tell what waits, for whom, since when and why it failed.

A real browser on the real UI: what is asserted is what the page shows. The pages of the documentation show
the pictures; `BROKER_ACTORS_PICTURES=docs/images` renews them.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from broker_actors import ActorSystem, Settings
from tests.ui.management import PATIENCE_MS, Management
from tests.ui.shop import OrderRef

pytestmark = [pytest.mark.verify, pytest.mark.timeout(300)]

#: What the page of documentation recommends: without delay levels, and without what watches the workers.
ESSENTIALS = r"^actors\.(?!delay|probe)"


async def test_the_queue_list_says_how_many_messages_wait_for_whom(ui: Management) -> None:
    ready = await ui.queues(ESSENTIALS, lambda queues: queues.get("actors.dead.Payment") == "3")
    assert ready == {
        "actors.Order.g1.0": "3",
        "actors.Order.g1.1": "2",
        "actors.Parcel.g1.0": "0",
        "actors.Payment.g1.0": "0",
        "actors.Payment.g1.1": "1",
        "actors.Printer.g1.id.warehouse": "1",
        "actors.dead": "0",
        "actors.dead.Order": "0",
        "actors.dead.Parcel": "0",
        "actors.dead.Payment": "3",
        "actors.dead.Printer": "0",
        "actors.due": "0",
        "actors.unroutable": "0",
    }
    await ui.picture("queues", ui.page.locator("#main .filter").first, ui.page.locator("#main table.list"))


async def test_a_dead_letter_says_for_whom_since_when_and_why(ui: Management) -> None:
    await ui.open_queue("actors.dead.Payment")
    letters = {
        letter["type"]: letter for letter in await ui.get_messages(3) if letter["ba-reason"] != "undecodable"
    }
    failed, rejected = letters["charge"], letters["refund"]
    names = ("ba-type", "ba-id", "type", "ba-reason", "ba-attempt", "ba-error", "payload")
    shown = {name: failed[name] for name in names}
    assert shown == {
        "ba-type": "Payment",
        "ba-id": "order-17",
        "type": "charge",
        "ba-reason": "failed",
        "ba-attempt": "3",
        "ba-error": "ConnectionError: no answer from the bank of visa for 4900 cents",
        "payload": '{"args":[4900],"kwargs":{"card":"visa"}}',
    }
    assert failed["ba-origin"].startswith("actors.Payment.g1.")
    assert "Traceback (most recent call last):" in failed["ba-traceback"]
    assert failed["ba-history"].count("no answer from the bank") == 3
    assert (rejected["ba-id"], rejected["type"]) == ("order-17", "refund")
    assert rejected["ba-error"] == "BusinessError: 900 cents wanted, none charged"
    for letter in (failed, rejected):
        assert _is_recent(int(letter["timestamp"]))
        assert _is_recent(int(letter["ba-died"]) / 1000)
        assert _is_recent(_time_in(letter["message_id"]))


async def test_what_nobody_can_read_says_so(ui: Management) -> None:
    await ui.open_queue("actors.dead.Payment")
    (letter,) = (letter for letter in await ui.get_messages(3) if letter["ba-reason"] == "undecodable")
    assert (letter["ba-type"], letter["ba-id"], letter["type"]) == ("Payment", "order-19", "charge")
    assert letter["payload"] == '{"args": [4900'
    assert letter["ba-error"].startswith("UndecodableError: ")


async def test_looking_takes_nothing_away(ui: Management) -> None:
    await ui.open_queue("actors.dead.Payment")
    first = [letter["message_id"] for letter in await ui.get_messages(3)]
    await ui.open_queue("actors.dead")
    await ui.open_queue("actors.dead.Payment")
    again = await ui.get_messages(3)
    assert "●" in again[0]["Redelivered"]
    assert [letter["message_id"] for letter in again] == first
    section = await ui.section("Get messages")
    await ui.picture("dead-letter", section.locator("form"), section.locator(".box").first)


async def test_a_delayed_message_says_for_whom_and_what_it_is(ui: Management) -> None:
    ready = await ui.queues(r"^actors\.delay", lambda queues: list(queues.values()).count("1") == 2)
    # An hour has its highest bit at 2048 seconds.
    assert ready["actors.delay.11"] == "1"
    await ui.open_queue("actors.delay.11")
    (waiting,) = await ui.get_messages(1)
    assert (waiting["ba-type"], waiting["ba-id"], waiting["type"]) == ("Order", "order-17", "add")
    assert waiting["payload"] == '{"args":["coffee",1],"kwargs":{}}'
    assert _is_recent(_time_in(waiting["message_id"]))
    assert int(waiting["ba-due"]) / 1000 > int(waiting["timestamp"]) + 3500


async def test_a_message_that_is_tried_again_later_says_what_went_wrong(ui: Management) -> None:
    ready = await ui.queues(r"^actors\.delay", lambda queues: list(queues.values()).count("1") == 2)
    (level,) = (name for name, count in ready.items() if count == "1" and name != "actors.delay.11")
    await ui.open_queue(level)
    (waiting,) = await ui.get_messages(1)
    assert (waiting["ba-type"], waiting["ba-id"], waiting["type"]) == ("Parcel", "order-17", "label")
    assert waiting["ba-attempt"] == "2"
    assert "RuntimeError: no paper for 12 Main Street" in waiting["ba-history"]
    # In msgpack, which the page can show as base64 only: the headers say it all the same.
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", waiting["payload"])
    section = await ui.section("Get messages")
    await ui.picture("retry", section.locator(".box").first)


async def test_a_mailbox_says_what_it_is_but_does_not_let_its_messages_be_taken(ui: Management) -> None:
    await ui.open_queue("actors.Order.g1.1")
    section = await ui.section("Get messages")
    await section.locator("input[type=submit]").click()
    popup = ui.page.locator(".form-popup-warn, .form-popup-info").first
    await expect(popup).to_contain_text("405 RESOURCE_LOCKED")
    await expect(popup).to_contain_text("queues with single active consumer")
    await expect(ui.page.locator("#main")).to_contain_text("x-single-active-consumer")


async def test_a_copy_of_what_arrives_can_be_looked_at(ui: Management, settings: Settings) -> None:
    await _add_copy(ui, "look.orders", "Order.g1.0")
    async with ActorSystem(settings) as system:
        order = system.ref(OrderRef, "order-17")
        await order.add.tell("sugar", 2)
        asking = asyncio.create_task(order.total())  # in vain: there is no worker
        await ui.queues("^look", lambda queues: queues.get("look.orders") == "2")
        asking.cancel()
        await asyncio.wait([asking])

    await ui.open_queue("look.orders")
    told, asked = await ui.get_messages(2)
    assert (told["ba-type"], told["ba-id"], told["type"]) == ("Order", "order-17", "add")
    assert told["payload"] == '{"args":["sugar",2],"kwargs":{}}'
    assert _is_recent(_time_in(told["message_id"]))
    assert "reply_to" not in told
    assert (asked["type"], asked["ba-id"]) == ("total", "order-17")
    assert asked["reply_to"]
    assert int(asked["ba-deadline"]) / 1000 > int(asked["timestamp"])
    section = await ui.section("Get messages")
    await ui.picture("copy", section.locator(".box").first, section.locator(".box").nth(1))
    expected = {"actors.Order.g1.0": "5", "actors.Order.g1.1": "2", "look.orders": "2"}
    await ui.queues(r"^(actors\.Order|look)", lambda queues: queues == expected)


async def _add_copy(ui: Management, name: str, key: str) -> None:
    """Make a queue and bind it, by the forms of the page."""
    await ui.queues(ESSENTIALS, bool)
    adding = await ui.section("Add a new queue")
    await adding.locator("input[name=name]").fill(name)
    await adding.locator("input[type=submit]").click()
    await ui.queues("^look", lambda queues: name in queues)
    await ui.open_queue(name)
    await expect(ui.page.locator("#main")).to_contain_text("looking", timeout=PATIENCE_MS)
    bindings = await ui.section("Bindings")
    await bindings.locator("input[name=source]").fill("actors")
    await bindings.locator("input[name=routing_key]").fill(key)
    await ui.picture("copy-binding", bindings)
    await bindings.locator("input[type=submit]").click()
    await expect(bindings).to_contain_text(f"{key}")


def _time_in(message_id: str) -> float:
    shown, _, _ = message_id.partition("Z-")
    return datetime.fromisoformat(f"{shown}+00:00").timestamp()


def _is_recent(seconds: float) -> bool:
    return 0 <= datetime.now(UTC).timestamp() - seconds < 3600  # noqa: TID251 - the browser's messages are of today
