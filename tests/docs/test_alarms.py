"""docs/how-to/alarms.md leaves nothing out that the code can report, and says nothing it does not."""

from __future__ import annotations

import ast
import logging
import re
import typing
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest
import redis

from broker_actors import AskTimeoutError, Settings
from broker_actors.core import events
from broker_actors.core.address import Address
from broker_actors.core.dead import Reason
from broker_actors.core.events import Event, TurnEnded
from broker_actors.observability.logs import LoggingObserver
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef
from tests.docs.pages import ROOT
from tests.docs.tables import codes, rows
from tests.servers import RabbitServer, RedisServer

PAGE: Final = "alarms.md"
SOURCES: Final = sorted((ROOT / "broker_actors").rglob("*.py"))
#: Calls whose first argument is, or begins, the place of a trouble.
_TELLS: Final = frozenset({"Trouble", "_lost"})


def test_every_event_has_a_row() -> None:
    known = [event.__name__ for event in typing.get_args(Event)]
    assert [row[0].strip("`") for row in rows(PAGE, "Events")] == known


@pytest.mark.parametrize("name", [row[0].strip("`") for row in rows(PAGE, "Events")])
def test_the_level_of_an_event_is_the_one_on_the_page(name: str, caplog: pytest.LogCaptureFixture) -> None:
    event = getattr(events, name)
    values = [_VALUES[str(field.type)] for field in fields(event)]
    (level,) = (row[1] for row in rows(PAGE, "Events") if row[0] == f"`{name}`")
    with caplog.at_level(logging.DEBUG, logger="broker_actors"):
        LoggingObserver().observe(event(*values))
    assert level.split()[-1] == caplog.records[-1].levelname.lower()


def test_every_outcome_of_a_turn_has_a_row() -> None:
    (known,) = re.findall(r"outcome: (.+?)\.$", TurnEnded.__doc__ or "", re.MULTILINE | re.DOTALL)
    assert sorted(codes(PAGE, "Turns")) == sorted(re.split(r",\s+|\s+or ", known))


def test_every_reason_of_a_dead_letter_has_a_row() -> None:
    assert sorted(codes(PAGE, "Dead letters")) == sorted(Reason)


def test_every_place_of_a_trouble_has_a_row() -> None:
    listed = codes(PAGE, "Trouble")
    places = {place for path in SOURCES for place in _places(path)}
    assert len(places) > len(_TELLS)
    missing = {place for place in places if not any(place.startswith(code.strip(" …")) for code in listed)}
    assert not missing, f"not in the table of troubles: {sorted(missing)}"


def test_every_reason_for_not_being_ready_is_one_that_workers_give() -> None:
    said = "".join(path.read_text() for path in SOURCES if path.parent.name in {"worker", "runtime"})
    reasons = [code.strip("… ") for code in codes(PAGE, "A worker is not ready")]
    assert reasons
    for reason in reasons:
        assert reason in said, f"no worker says {reason!r}"


@pytest.fixture
async def fragile(rabbit_server: RabbitServer, redis_server: RedisServer) -> AsyncIterator[Deployment]:
    """A deployment whose store may be filled."""
    async with AsyncExitStack() as stack:
        settings = Settings(url=rabbit_server.vhosts.create(), redis_url=redis_server.url)
        yield Deployment(settings, None, stack)


async def test_a_store_without_room_loses_nothing_and_goes_on_when_there_is_some(
    fragile: Deployment, redis_server: RedisServer
) -> None:
    system = await fragile.system()
    counter = system.ref(CounterRef, "c1")
    with redis.Redis.from_url(redis_server.url) as operator:
        async with fragile.worker(Counter):
            assert await counter.increment() == 1
            operator.config_set("maxmemory", 1)
            await counter.increment.tell()
            await fragile.watcher.wait_for(events.Trouble, lambda trouble: "OOM" in trouble.error)
            with pytest.raises(AskTimeoutError):
                await counter.with_options(timeout=0.5).increment()
            operator.config_set("maxmemory", 0)
            assert await counter.with_options(timeout=30).increment() == 3
    assert (await system.backend.transport.depth("actors.dead.Counter")).ready == 0


_VALUES: Final = {"str": "fault", "int": 1, "float": 1.0, "Address": Address("Counter", "c1")}


def _places(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    constants = {
        node.target.id: node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and (told := _name(call.func)) in _TELLS:
            begins: ast.expr | None = call.args[0]
            begins = begins.values[0] if isinstance(begins, ast.JoinedStr) else begins
            begins = constants.get(begins.id) if isinstance(begins, ast.Name) else begins
            if isinstance(begins, ast.Constant) and isinstance(begins.value, str):
                yield f"{begins.value} of" if told == "_lost" else begins.value.strip()


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
