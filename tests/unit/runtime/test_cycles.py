"""Who holds the lane waits for the section, or it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from broker_actors.core.address import Address
from broker_actors.runtime.cycles import Wanting, waits_for

HERE = Address("Clerk", "k1")
ME = str(HERE)
CALL = "Clerk/k1/s:1"


@dataclass
class Turn:
    """A turn of the actor."""

    chain: tuple[str, ...] = ()
    reading: str = ""

    def reads(self, call_id: str) -> bool:
        return call_id == self.reading


@pytest.mark.parametrize(
    ("holder", "others", "chain", "waits"),
    [
        (Turn(reading=CALL), [], (ME,), True),
        (Turn(reading=CALL), [Turn()], (ME,), True),
        (Turn(), [Turn(reading=CALL)], (ME,), False),
        (Turn(), [], (ME,), False),
        (Turn(), [], (ME, "Courier/c1"), True),
        (Turn(), [Turn(("Other/o1",))], (ME, "Courier/c1"), True),
        (Turn(), [Turn()], (ME, "Courier/c1"), False),
        (Turn(("Other/o1",)), [], (ME, "Courier/c1"), False),
        (Turn(("Other/o1",)), [], ("Other/o1", ME, "Courier/c1"), True),
        (Turn(), [], (), False),
    ],
)
def test_the_holder_of_the_lane_is_the_caller_if_nobody_else_can_be(
    holder: Turn, others: list[Turn], chain: tuple[str, ...], waits: bool
) -> None:
    assert waits_for(holder, others, Wanting(HERE, chain, CALL)) is waits
