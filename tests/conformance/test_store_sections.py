"""Every store: how far interleaved turns are."""

from __future__ import annotations

from dataclasses import replace

from broker_actors.core.turn import Committed, Fenced
from broker_actors.ports.commit import Claim, Commit
from broker_actors.ports.sections import SectionMark
from broker_actors.ports.store import Store
from tests.conformance.stores import OpenStore, actor

TURN, OTHER = "n:web:1", "k:order:42"


def section(claim: Claim, number: int, version: int = 0, turn: str = TURN) -> Commit:
    mark = SectionMark(turn, number, 60)
    return Commit(replace(claim, version=version), f"{turn} {number}", b"%d" % number, section=mark)


async def test_a_turn_nobody_heard_of_has_no_section(store: Store) -> None:
    assert await store.sections(actor(), TURN) == 0
    await store.claim(actor(), "mine")
    assert await store.sections(actor(), TURN) == 0


async def test_sections_are_known_with_what_they_wrote(open_store: OpenStore) -> None:
    store, successor = await open_store(), await open_store()
    claim = await store.claim(actor(), "mine")
    assert await store.commit(section(claim, 1)) == Committed()
    assert await store.commit(section(claim, 2, version=1)) == Committed()
    after = await successor.claim(actor(), "next")
    assert (after.version, after.state) == (2, b"2")
    assert await successor.sections(actor(), TURN) == 2
    assert await successor.sections(actor(), OTHER) == 0
    assert await successor.sections(actor("other"), TURN) == 0


async def test_a_section_without_anything_to_write_is_known_too(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    commit = replace(section(claim, 1), state=None)
    assert await store.commit(commit) == Committed()
    assert await store.sections(actor(), TURN) == 1
    assert (await store.claim(actor(), "next")).version == 1


async def test_a_fenced_section_is_not_known(store: Store) -> None:
    old = await store.claim(actor(), "old")
    await store.claim(actor(), "new")
    assert await store.commit(section(old, 1)) == Fenced()
    assert await store.sections(actor(), TURN) == 0


async def test_a_section_sent_again_changes_nothing(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    for _ in range(2):
        assert await store.commit(section(claim, 1)) == Committed()
    assert (await store.claim(actor(), "next")).version == 1


async def test_a_turn_that_is_over_is_forgotten_and_no_other(store: Store) -> None:
    claim = await store.claim(actor(), "mine")
    await store.commit(section(claim, 1))
    await store.commit(section(claim, 7, version=1, turn=OTHER))
    over = Commit(replace(claim, version=2), "over", section=SectionMark(TURN, 0, 60))
    assert await store.commit(over) == Committed()
    assert await store.sections(actor(), TURN) == 0
    assert await store.sections(actor(), OTHER) == 7
