"""Which of what came with signals a reader takes for its next chunk."""

from __future__ import annotations

from broker_actors.client.reading import _Place
from broker_actors.core.chunks import Chunk, Kind
from broker_actors.core.envelope import MSGPACK

CHUNK = Chunk(Kind.VALUE, b"value", MSGPACK)


def signal_of(seq: int) -> bytes:
    return b"%d:" % seq + CHUNK.pack()


def test_the_next_chunk_is_taken_once() -> None:
    place = _Place(0)
    place.signalled(signal_of(1))
    assert place.next_carried() == CHUNK
    assert place.next_carried() is None


def test_a_chunk_that_was_read_is_not_the_next_one() -> None:
    place = _Place(1)
    place.signalled(signal_of(1))
    assert place.next_carried() is None


def test_a_chunk_after_a_missing_one_is_not_the_next_one() -> None:
    place = _Place(1)
    place.signalled(signal_of(3))
    assert place.next_carried() is None


def test_a_signal_without_a_chunk_leaves_the_one_that_came() -> None:
    place = _Place(0)
    place.signalled(signal_of(1))
    place.signalled(b"")
    assert place.next_carried() == CHUNK
    assert place.woken.is_set()
