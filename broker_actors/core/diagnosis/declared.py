"""What the modules of a deployment say, against what the store has recorded; and its settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from broker_actors.core.finding import Finding, Severity
from broker_actors.core.topology import Layout

#: A window smaller than this is used up by a handful of busy actors, and all others of the mailbox wait.
PREFETCH_SMALL: Final = 16


def judge_layouts(declared: Collection[Layout], recorded: Mapping[str, Layout]) -> Iterator[Finding]:
    """Yield a finding for each declared layout that is not the recorded one."""
    wrong = [layout for layout in declared if recorded.get(layout.type, layout) != layout]
    for layout in wrong:
        is_now = recorded[layout.type]
        text = (
            f"{layout.type} is declared with {_words(layout)}, and the store has {_words(is_now)} on record"
        )
        fix = (
            f"declare it as recorded, or with generation={is_now.generation + 1} once its mailboxes are empty"
        )
        yield Finding("store.layouts", Severity.ERROR, text, fix)
    if declared and not wrong:
        text = f"{len(declared)} declared actor types fit what the store has on record"
        yield Finding("store.layouts", Severity.OK, text)


def judge_settings(prefetch: int) -> Iterator[Finding]:
    """Yield a note about settings that can work and hardly can be meant."""
    if prefetch < PREFETCH_SMALL:
        text = f"prefetch is {prefetch}: so many busy actors of a mailbox keep all its others waiting"
        fix = "unset BROKER_ACTORS_PREFETCH; it is a window, the concurrency is BROKER_ACTORS_RUNNING_MAX"
        yield Finding("settings.prefetch", Severity.NOTE, text, fix)


def _words(layout: Layout) -> str:
    mailboxes = "dedicated mailboxes" if layout.dedicated else f"{layout.partitions} partitions"
    return f"{mailboxes}, generation {layout.generation}"
