"""A private broker on the policies and users of a deployment, its contents, and a real browser."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import async_playwright

from broker_actors import Settings
from tests.infra import files
from tests.infra.api import post
from tests.servers import RabbitServer, RedisServer
from tests.ui import story
from tests.ui.management import WIDTH_PIXELS, Management

#: Where the pictures of the documentation are renewed: `BROKER_ACTORS_PICTURES=docs/images`.
_PICTURES: Final = "BROKER_ACTORS_PICTURES"


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitServer]:
    """A broker with the users and policies of infra/rabbitmq/definitions.json, of whatever generation."""
    with RabbitServer(in_memory=True) as server:
        post(server.management_port, "guest:guest", "/api/definitions", files.DEFINITIONS.read_bytes())
        yield server


@pytest.fixture(scope="module")
def settings(rabbit: RabbitServer) -> Iterator[Settings]:
    """How an actor system reaches what the story has left."""
    with RedisServer(in_memory=True) as store:
        settings = Settings(url=rabbit.url.replace("guest:guest", "worker:change-me"), redis_url=store.url)
        asyncio.run(story.tell(settings))
        yield settings


@pytest.fixture
async def ui(rabbit: RabbitServer, settings: Settings, tmp_path: Path) -> AsyncIterator[Management]:
    """The UI of that broker, in a browser without a window."""
    program = shutil.which("chromium")
    assert program is not None, "infra/install-verifiers installs it"
    assert settings.url, "the story is told"
    async with async_playwright() as playwright:
        # Its sandbox needs rights that containers do not give, and the page is our own server's.
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": WIDTH_PIXELS, "height": 1200}, locale="en-GB")
        pictures = Path(os.environ.get(_PICTURES, tmp_path))
        management = Management(page, f"http://127.0.0.1:{rabbit.management_port}/", pictures)
        await management.log_in("admin", "change-me")
        yield management
        await browser.close()
