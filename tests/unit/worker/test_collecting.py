"""A worker process looks for garbage seldom, and still finds it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from broker_actors.worker.collecting import YOUNG_MAX, collect_seldom


class Loop:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_was_loaded_is_not_looked_at_again() -> None:
    collect_seldom()
    assert gc.get_freeze_count() > YOUNG_MAX
    assert gc.get_threshold()[0] == YOUNG_MAX


def test_what_refers_to_itself_is_still_given_up() -> None:
    collect_seldom()
    gone = weakref.ref(Loop())
    kept: list[list[None]] = []
    for _ in range(2 * YOUNG_MAX):
        kept.append([])
        if gone() is None:
            return
    pytest.fail("nobody looked")
