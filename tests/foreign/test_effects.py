"""What other services send has its effect, once; and it comes from them alone."""

from __future__ import annotations

import asyncio

import pytest

from broker_actors import ActorSystem
from tests.foreign.service import ASKED, HANG_SECONDS, JSON, MSGPACK, TELLS, Service

pytestmark = pytest.mark.verify  # needs Node.js packages from a registry, and many processes

NAME = "żółw 🐢"
LOOK = """
import importlib.util
for name in ("pika", "aio_pika", "msgpack", "redis", "broker_actors"):
    print(name, importlib.util.find_spec(name) is not None)
"""


async def test_the_programs_have_the_client_libraries_and_cannot_import_this_package(
    service: Service,
) -> None:
    (service.folder / "look.py").write_text(LOOK)
    found = dict(line.split() for line in (await service.run("look.py")).out.splitlines())
    assert found.pop("broker_actors") == "False"
    assert set(found.values()) == {"True"}


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
@pytest.mark.parametrize("program", TELLS)
async def test_a_tell_takes_effect_once_for_each_key(
    service: Service, system: ActorSystem, program: str, content_type: str
) -> None:
    for key in ("order-1", "order-1", "order-2"):
        await service.tell(program, "Account", NAME, "deposit", "[5]", key, content_type)
    assert await system.ref("Account", NAME).call("deposit", 0) == 10


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(("program", "content_type"), ASKED)
async def test_an_ask_takes_effect_once_for_each_key_and_repeats_its_reply(
    service: Service, system: ActorSystem, program: str, content_type: str
) -> None:
    replies = [
        await service.ask(program, "Account", NAME, "deposit", "[5]", key, content_type)
        for key in ("order-1", "order-2", "order-1")
    ]
    assert replies == [{"ok": True, "result": cents} for cents in (5, 10, 5)]
    assert await system.ref("Account", NAME).call("deposit", 0) == 10


@pytest.mark.usefixtures("running")
async def test_a_tell_by_way_of_the_safety_net_finds_its_actor(service: Service, system: ActorSystem) -> None:
    account = system.ref("Account", NAME)
    await service.tell("pika_anywhere.py", "Account", NAME, "deposit", "[5]", "order-1")
    # The way round is longer, so a look may come before it.
    async with asyncio.timeout(HANG_SECONDS):
        while await account.call("deposit", 0) != 5:
            pass
    reply = await service.ask("pika_ask.py", "Account", NAME, "deposit", "[5]", "order-1", JSON)
    assert reply == {"ok": True, "result": 5}
    assert await account.call("deposit", 0) == 5
