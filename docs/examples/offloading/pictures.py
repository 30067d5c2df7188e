"""Work that must not hold up the other actors of the process."""

import hashlib
import os
from pathlib import Path

from broker_actors import Ref, Retry, actor, method


@actor(retry=Retry(attempts=2, min_backoff=0.01))
class Picture:
    """A picture, by its path."""

    rounds: int = 20_000
    seen: int = 0

    @method
    def look(self) -> int:
        self.seen += 1
        return self.seen

    @method.options(run_in="process")
    def fingerprint(self, text: str) -> str:
        # Computes: a process of its own has a processor of its own.
        return hashlib.pbkdf2_hmac("sha256", text.encode(), b"salt", self.rounds).hex()[:8]

    @method.options(run_in="thread")
    def size(self, path: str) -> int:
        # Blocks: a thread waits for the disk.
        return Path(path).stat().st_size

    @method.options(run_in="process")
    def count(self) -> None:
        self.seen += 1  # refused: what runs off the loop reads

    @method.options(run_in="process")
    def spin(self) -> None:
        while True:
            pass

    @method.options(run_in="process")
    def crash(self) -> None:
        os._exit(1)


class PictureRef(Picture, Ref):
    """A typed handle."""
