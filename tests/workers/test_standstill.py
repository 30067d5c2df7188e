"""Actors that are suspended or held up: `doctor`, `mailboxes` and `actors show` tell of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from broker_actors import ActorSystem, Ref, Retry, Worker, actor, method
from broker_actors.cli.app import app
from broker_actors.core.address import Address
from tests.workers.shell import HANG_SECONDS

Run: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]

MAILBOX = "actors.Book.g1.0"


#: The wait is drawn below it: so long that nobody sees the end of it.
BACKOFF_SECONDS = 2_000_000


@actor(
    partitions=1,
    on_failure="block",
    retry=Retry(attempts=5, min_backoff=BACKOFF_SECONDS, max_backoff=BACKOFF_SECONDS),
)
class Book:
    """Takes notes, in order, as long as there is ink."""

    notes: int = 0

    @method
    def note(self, *, ink: bool = True) -> int:
        if not ink:
            raise OSError("no ink")
        self.notes += 1
        return self.notes


class BookRef(Book, Ref): ...


@pytest.fixture
def run(amqp_url: str, redis_url: str) -> Run:
    async def run(*words: str) -> tuple[int, str, str]:
        line = [*words, "--amqp", amqp_url, "--redis", redis_url]
        # In a thread, as a command runs a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, line)
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
async def system(amqp_url: str, redis_url: str) -> AsyncIterator[ActorSystem]:
    async with ActorSystem.connect(amqp_url, redis_url) as system:
        yield system


async def findings(run: Run) -> dict[str, dict[str, str]]:
    _code, out, _err = await run("doctor", "--json")
    return {one["check"]: one for one in json.loads(out)["findings"] if one["check"].startswith("actors.")}


async def stand_still(system: ActorSystem, run: Run) -> None:
    """Have b1 held up with three messages, b2 suspended with one, and b3 at work."""
    async with Worker(system, Book):
        for name in ("b1", "b2", "b3"):
            assert await system.ref(BookRef, name).note() == 1
        assert (await run("actors", "suspend", "Book", "b2", "--reason", "a page is torn"))[0] == 0
        await system.ref(BookRef, "b1").note.tell(ink=False)
        await system.ref(BookRef, "b1").note.tell()
        await system.ref(BookRef, "b1").note.tell()
        await system.ref(BookRef, "b2").note.tell()
        assert await system.ref(BookRef, "b3").note() == 2
        async with asyncio.timeout(HANG_SECONDS):
            for name, count in (("b1", 3), ("b2", 1)):
                while await parked(system, name) != count:
                    pass


async def parked(system: ActorSystem, actor_id: str) -> int:
    snapshot = await system.backend.store.peek(Address("Book", actor_id))
    assert snapshot is not None
    return snapshot.parked.entries


async def test_doctor_tells_of_actors_that_stand_still_and_what_to_do(run: Run, system: ActorSystem) -> None:
    await stand_still(system, run)
    found = await findings(run)
    assert {check: one["severity"] for check, one in found.items()} == {
        "actors.suspended": "note",
        "actors.blocked": "warning",
    }
    assert "b1 (note, attempt 2 is next); 3 messages wait" in found["actors.blocked"]["text"]
    assert "b2 (operator: a page is torn); 1 message waits" in found["actors.suspended"]["text"]
    assert "broker-actors actors resume Book b2" in found["actors.suspended"]["fix"]
    assert (await run("doctor"))[0] == 0
    assert (await run("doctor", "--strict"))[0] == 1


async def test_doctor_says_so_when_nobody_stands_still(run: Run, system: ActorSystem) -> None:
    assert await findings(run) == {}, "there is no actor type yet"
    async with Worker(system, Book):
        assert await system.ref(BookRef, "b3").note() == 1
    (found,) = (await findings(run)).values()
    assert (found["severity"], found["fix"]) == ("ok", "")


async def test_mailboxes_show_what_waits_outside_of_them_and_that_somebody_stands_still(
    run: Run, system: ActorSystem
) -> None:
    await stand_still(system, run)
    code, out, err = await run("mailboxes", "Book")
    shown = {line.split()[0]: line.split()[4] for line in out.splitlines()}
    assert (code, shown["mailbox"], shown[MAILBOX], shown["actors.dead.Book"]) == (0, "parked", "4", "-")
    assert err.startswith("2 actors are suspended or held up: `broker-actors doctor`")
    _code, out, err = await run("mailboxes", "Book", "--json")
    assert err == ""
    assert [one["parked"] for one in json.loads(out) if one["mailbox"] == MAILBOX] == [4]


async def test_who_looks_at_an_actor_sees_what_holds_it_up_and_what_waits(
    run: Run, system: ActorSystem
) -> None:
    await stand_still(system, run)
    code, out, _err = await run("actors", "show", "Book", "b1")
    table = out[out.index("parked  method") :].splitlines()
    header, first, second, third = (line.split() for line in table)
    assert (code, header[:2]) == (0, ["parked", "method"])
    assert (first[:2], first[3], first[5:]) == (["1", "note"], "2", ["OSError:", "no", "ink"])
    assert [(line[1], line[3], line[5]) for line in (second, third)] == [("note", "1", "-")] * 2
    document: dict[str, Any] = json.loads((await run("actors", "show", "Book", "b1", "--json"))[1])
    assert (document["parked"], len(document["parking"])) == (3, 3)
    head = document["parking"][0]
    assert (head["method"], head["attempt"], head["error"]) == ("note", 2, "OSError: no ink")
    assert head["due_ms"] > system.backend.clock.now_ms()
