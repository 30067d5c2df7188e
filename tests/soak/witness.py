"""Writes down what the store grants and answers a worker, so that fencing can be checked from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from unittest.mock import patch

from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.address import Address
from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from tests.soak.journal import WITNESS, Journal

#: Names the folder of the journals.
FOLDER: Final = "SOAK_FOLDER"


def install(folder: Path) -> None:
    """Have every claim and commit of this process written down, as soon as it is answered."""
    journal = Journal(folder, WITNESS, str(os.getpid()))
    claim, commit = RedisStore.claim, RedisStore.commit

    async def claimed(self: RedisStore, address: Address, nonce: str) -> Claim:
        granted = await claim(self, address, nonce)
        journal.write("claim", address.id, granted.epoch, granted.version)
        return granted

    async def committed(self: RedisStore, one: Commit) -> Committed | Fenced:
        answer = await commit(self, one)
        fenced = isinstance(answer, Fenced)
        if fenced or one.writes:
            held = one.claim
            journal.write("commit", held.address.id, held.epoch, one.version, one.nonce, fenced)
        return answer

    patch.multiple(RedisStore, claim=claimed, commit=committed).start()
