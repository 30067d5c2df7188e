"""No worker commits for an actor that somebody else has taken since."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from tests.checker.history import Claimed, Committed, History, Violation


def fence(history: History) -> Iterator[Violation]:
    """Yield commits that were made under an older claim, and versions that were made twice."""
    claims: defaultdict[str, list[Claimed]] = defaultdict(list)
    for claim in history.claims:
        claims[claim.actor].append(claim)
    made: dict[tuple[str, int], Committed] = {}
    for commit in history.commits:
        if commit.fenced:
            continue
        other = made.setdefault((commit.actor, commit.version), commit)
        if other.nonce != commit.nonce:
            text = f"{commit.actor} was taken twice from version {commit.version}: under the epochs"
            yield Violation("stale", f"{text} {other.epoch} and {commit.epoch}")
    newest = {actor: _Newest(some) for actor, some in claims.items()}
    for commit in made.values():
        epoch = newest[commit.actor].epoch_before(commit.version) if commit.actor in newest else 0
        if commit.epoch < epoch:
            text = f"{commit.actor} was committed from version {commit.version} under epoch {commit.epoch}"
            yield Violation("stale", f"{text}, after it had been taken under {epoch}")


class _Newest:
    """The newest claim of an actor that had been granted when a version was the current one.

    A claim that found version n was granted before the commit that started from version n
    was made, if that was made by somebody else, and before all that follow.
    """

    def __init__(self, claims: list[Claimed]) -> None:
        ordered = sorted(claims, key=lambda claim: claim.version)
        self._versions = [claim.version for claim in ordered]
        self._epochs = list(accumulate((claim.epoch for claim in ordered), max))

    def epoch_before(self, version: int) -> int:
        """Return the highest epoch granted at *version* or before."""
        end = bisect_left(self._versions, version + 1)
        return self._epochs[end - 1] if end else 0
