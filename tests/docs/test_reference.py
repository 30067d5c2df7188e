"""The reference pages say what the code says."""

from __future__ import annotations

import re

import pytest

from broker_actors.core import errors
from broker_actors.core.events import TurnEnded
from tests.docs.pages import ROOT
from tests.docs.reference import PARTS, rendered


@pytest.mark.parametrize("page", PARTS)
def test_the_generated_part_is_up_to_date(page: str) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text()
    assert text == rendered(page), "renew it: python -m tests.docs.reference"


def test_the_tree_drawn_in_core_errors_has_every_error() -> None:
    tree = (errors.__doc__ or "").split("\n\n")[1]
    drawn = [line.split("+--")[-1].split()[0] for line in tree.splitlines()]
    listed = [line.split("`")[1] for line in PARTS["errors.md"]()]
    assert sorted(drawn) == sorted(listed)


def test_the_table_of_outcomes_has_those_of_the_event() -> None:
    text = (ROOT / "docs" / "reference" / "events.md").read_text()
    _, _, table = text.partition("## Outcomes of turns")
    (known,) = re.findall(r"outcome: (.+?)\.$", TurnEnded.__doc__ or "", re.MULTILINE | re.DOTALL)
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(re.split(r",\s+|\s+or ", known))
