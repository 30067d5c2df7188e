"""Lua scripts: kept in files next to this one, called by hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

from broker_actors.adapters.redis.connection import Arg, pack, pack_all


# Each is itself: a hash of its text for every command would cost more than to load one twice.
@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """A script and the name the server caches it under."""

    name: str
    text: str
    sha: str

    @classmethod
    def named(cls, name: str) -> Script:
        """Return the script in the file *name*`.lua`."""
        text = (files("broker_actors.adapters.redis") / f"{name}.lua").read_text(encoding="utf-8")
        # Not for security: it is how Redis names its scripts.
        return cls(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    def load(self) -> bytes:
        """Return the packed command that makes the server know this script."""
        return pack("SCRIPT", "LOAD", self.text)

    def call(self, keys: Sequence[str], args: Sequence[Arg]) -> bytes:
        """Return the packed command that runs it. Every key it touches must be in *keys*."""
        return pack_all(("EVALSHA", self.sha, len(keys), *keys, *args))
