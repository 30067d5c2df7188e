"""What is noted of who is served from which mailbox, and what is assumed when the store does not say."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from broker_actors.core.errors import StoreUnavailableError
from broker_actors.core.events import Event, Trouble
from broker_actors.ports.members import Members
from broker_actors.runtime.arrival import Subscription
from broker_actors.runtime.holding import Holding

MAILBOX = "actors.Counter.g1.0"


class Notes:
    """The part of a store that keeps the notes; now and then it does not answer, or is slow."""

    def __init__(self) -> None:
        self.is_silent = False
        self.calls: list[str] = []
        self.holder = ""
        self.gate = asyncio.Event()
        self.gate.set()

    async def hold(self, _mailbox: str, name: str) -> bool:
        self.calls.append("hold")
        await self.gate.wait()
        if self.is_silent:
            raise StoreUnavailableError("no answer")
        before, self.holder = self.holder, name
        return not before

    async def release(self, _mailbox: str, name: str) -> None:
        self.calls.append("release")
        if self.holder == name:
            self.holder = ""


class Remembering:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


class Worker:
    """The notes of one worker, and what it said."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.observer = Remembering()
        self.holding = Holding(cast("Members", self.notes), "web", self.observer)
        self.subscription = Subscription(MAILBOX, "Counter", lambda: None)

    async def is_served(self) -> None:
        self.holding.served(self.subscription)
        await self.subscription.known()

    async def tries_again(self) -> None:
        self.holding.note_again()
        await self.holding_is_quiet()

    async def holding_is_quiet(self) -> None:
        await asyncio.gather(*self.holding._noting)
        # What is done says so one step later.
        await asyncio.sleep(0)


@pytest.fixture
async def worker() -> Worker:
    return Worker()


async def test_without_an_answer_of_the_store_nobody_is_taken_to_have_left_in_order(worker: Worker) -> None:
    worker.notes.is_silent = True
    await worker.is_served()
    assert worker.subscription.orderly is not None
    assert worker.subscription.orderly.result() is False
    assert worker.observer.seen == [Trouble(f"hold of {MAILBOX}", "no answer")]


async def test_a_note_the_store_did_not_take_is_written_later(worker: Worker) -> None:
    worker.notes.is_silent = True
    await worker.is_served()
    await worker.holding_is_quiet()
    await worker.tries_again()
    assert worker.notes.holder == ""
    worker.notes.is_silent = False
    await worker.tries_again()
    assert worker.notes.holder == "web"
    assert len(worker.observer.seen) == 1, "said once"
    await worker.tries_again()
    assert worker.notes.calls == ["hold"] * 3, "what is written is not written again"


async def test_a_note_that_is_under_way_is_not_made_twice(worker: Worker) -> None:
    worker.notes.gate.clear()
    worker.holding.served(worker.subscription)
    for _ in range(3):
        await asyncio.sleep(0)
        worker.holding.note_again()
    worker.notes.gate.set()
    await worker.holding_is_quiet()
    assert worker.notes.calls == ["hold"]


async def test_a_note_of_a_mailbox_that_was_given_back_is_not_made_again(worker: Worker) -> None:
    worker.notes.is_silent = True
    await worker.is_served()
    await worker.holding.release(MAILBOX)
    worker.notes.is_silent = False
    await worker.tries_again()
    assert worker.notes.holder == ""


async def test_a_note_that_comes_after_its_mailbox_was_given_back_does_not_stay(worker: Worker) -> None:
    worker.notes.is_silent = True
    await worker.is_served()
    await worker.holding_is_quiet()
    worker.notes.is_silent = False
    worker.notes.gate.clear()
    worker.holding.note_again()
    await asyncio.sleep(0)
    await worker.holding.release(MAILBOX)
    worker.notes.gate.set()
    await worker.holding_is_quiet()
    assert worker.notes.holder == "", "or the next one would take this worker for dead"
