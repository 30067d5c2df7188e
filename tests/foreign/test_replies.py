"""What other services read is what this package reads: results, refusals and failures."""

from __future__ import annotations

import json
from typing import cast

import pytest

from broker_actors import ActorSystem, BusinessError
from tests.acceptance.dead_letters import take
from tests.foreign.service import ASKED, JSON, MSGPACK, Service

pytestmark = [pytest.mark.verify, pytest.mark.usefixtures("running")]

VALUES: list[object] = [
    None,
    True,
    -(2**31),
    2**53 - 1,
    0.5,
    "żółw 🐢",
    "",
    [],
    {"list": [1, [2, {"deep": None}]], "größe": "ü"},
]


@pytest.mark.parametrize(("program", "content_type"), ASKED)
async def test_values_come_back_as_this_package_gets_them(
    service: Service, system: ActorSystem, program: str, content_type: str
) -> None:
    arguments = json.dumps([VALUES])
    reply = await service.ask(program, "Mirror", "m", "show", arguments, "k", content_type)
    assert reply == {"ok": True, "result": VALUES}
    assert await system.ref("Mirror", "m").call("show", VALUES) == VALUES


@pytest.mark.parametrize(("program", "content_type"), ASKED)
async def test_a_refusal_is_read_with_its_code_and_details(
    service: Service, system: ActorSystem, program: str, content_type: str
) -> None:
    reply = await service.ask(program, "Account", "a", "withdraw", "[100]", "k", content_type)
    with pytest.raises(BusinessError) as refused:
        await system.ref("Account", "a").call("withdraw", 100)
    assert reply["ok"] is False
    error = cast("dict[str, object]", reply["error"])
    assert (error["kind"], error["code"]) == ("BusinessError", refused.value.code)
    assert (error["message"], error["details"]) == ("0 cents left", refused.value.details)


@pytest.mark.parametrize(("program", "content_type"), ASKED)
async def test_a_slow_reply_is_waited_for(service: Service, program: str, content_type: str) -> None:
    reply = await service.ask(program, "Mirror", "m", "show_later", "[1]", "k", content_type)
    assert reply == {"ok": True, "result": 1}


@pytest.mark.parametrize(
    ("method", "arguments", "kind"),
    [
        ("deposit", '["many"]', "InvalidArgumentsError"),
        ("deposit", "[1, 2, 3]", "InvalidArgumentsError"),
        # Tried again until that would be later than the ask's deadline.
        ("no_such_method", "[]", "UnknownMethodError"),
    ],
)
async def test_a_call_that_does_not_fit_is_answered(
    service: Service, method: str, arguments: str, kind: str
) -> None:
    reply = await service.ask("pika_ask.py", "Account", "a", method, arguments, "k", JSON)
    assert cast("dict[str, object]", reply["error"])["kind"] == kind


async def test_a_key_that_was_used_for_another_body_is_refused(service: Service) -> None:
    await service.tell("pika_tell.py", "Account", "a", "deposit", "[1]", "k", JSON)
    # The same call in other bytes: without a blank after the colon.
    reply = await service.ask("amqplib_ask.mjs", "Account", "a", "deposit", "[1]", "k", JSON)
    assert cast("dict[str, object]", reply["error"])["kind"] == "IdempotencyConflictError"


async def test_a_body_nobody_can_read_is_answered_in_msgpack_and_kept_in_the_dead_letters(
    service: Service, system: ActorSystem
) -> None:
    reply = await service.ask("pika_ask.py", "Account", "a", "deposit", "[1]", "k", "application/pdf")
    assert cast("dict[str, object]", reply["error"])["kind"] == "UndecodableError"
    await service.tell("pika_tell.py", "Account", "a", "deposit", "[2]", "k2", "application/pdf")
    letters = await take(system.backend.transport, "Account", 2)
    assert [letter.reason for letter in letters] == ["undecodable", "undecodable"]
    assert await system.ref("Account", "a").call("deposit", 0) == 0


async def test_a_tell_that_is_refused_is_kept_in_the_dead_letters(
    service: Service, system: ActorSystem
) -> None:
    await service.tell("pika_tell.py", "Account", "a", "withdraw", "[100]", "k", MSGPACK)
    (letter,) = await take(system.backend.transport, "Account", 1)
    assert (letter.reason, letter.error) == ("rejected", "BusinessError: 0 cents left")
