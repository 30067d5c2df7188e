"""The next release of the actor in `tests.acceptance.moving`: one attribute and two methods more."""

from __future__ import annotations

from broker_actors import Ref, actor, method
from tests.acceptance import moving


@actor(name="Sequence", partitions=8)
class NextSequence(moving.Sequence):
    """Remembers what it was told to, too."""

    words: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.words = ["default"]

    @method
    def remember(self, word: str) -> None:
        self.words.append(word)

    @method
    def remembered(self) -> list[str]:
        return self.words


class NextSequenceRef(NextSequence, Ref):
    """Typed handle."""
