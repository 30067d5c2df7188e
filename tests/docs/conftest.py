"""What the examples need, and leave behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.docs.pages import EXAMPLES

GoTo: TypeAlias = Callable[[Path], None]


@pytest.fixture
def go_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoTo]:
    """Make the modules of a folder importable until the test ends, as they are for who stands in it.

    No setting of this process reaches an example, and no module of an example the next one:
    two pages may well have a file of the same name.
    """
    for name in [name for name in os.environ if name.startswith("BROKER_ACTORS_")]:
        monkeypatch.delenv(name)
    before = set(sys.modules)
    yield monkeypatch.syspath_prepend
    for name in set(sys.modules) - before:
        if str(EXAMPLES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
