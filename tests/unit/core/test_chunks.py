from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.address import Address
from broker_actors.core.call_id import CallId
from broker_actors.core.chunks import (
    KEPT_CHUNKS,
    WINDOW_BYTES,
    WINDOW_CHUNKS,
    Chunk,
    Course,
    Kind,
    Verdict,
    Window,
    digest_after,
)
from broker_actors.core.envelope import JSON, MSGPACK
from broker_actors.core.errors import ConfigurationError, UndecodableError

BODIES = st.lists(st.sampled_from([b"a", b"b", b""]), max_size=12)


def value(body: bytes) -> Chunk:
    return Chunk(Kind.VALUE, body, MSGPACK)


def digests(bodies: list[bytes]) -> list[bytes]:
    course = Course()
    return [course.judge(value(body))[1] for body in bodies]


class TestAChunk:
    @given(st.sampled_from(Kind), st.binary(), st.sampled_from([JSON, MSGPACK, ""]))
    def test_is_read_as_it_was_packed(self, kind: Kind, body: bytes, content_type: str) -> None:
        chunk = Chunk(kind, body, content_type)
        assert Chunk.unpack(chunk.pack()) == chunk

    @given(st.binary(max_size=8))
    def test_is_read_or_refused_whatever_the_bytes(self, data: bytes) -> None:
        with suppress(UndecodableError):
            assert Chunk.unpack(data).pack() == data

    @pytest.mark.parametrize("data", [b"", b"9json\0", b"1json", b"x\0", b"1\xff\0"])
    def test_that_is_none_is_refused(self, data: bytes) -> None:
        with pytest.raises(UndecodableError, match="not a chunk"):
            Chunk.unpack(data)

    def test_of_another_kind_or_encoding_has_another_digest(self) -> None:
        variants = [
            Chunk(Kind.VALUE, b"1", MSGPACK),
            Chunk(Kind.END, b"1", MSGPACK),
            Chunk(Kind.VALUE, b"1", JSON),
        ]
        assert len({digest_after(b"", chunk) for chunk in variants}) == 3


class TestACourse:
    @given(BODIES, st.integers(0, 12), st.integers(0, 12))
    def test_that_yields_the_same_skips_what_is_written_and_writes_the_rest(
        self, bodies: list[bytes], written: int, known: int
    ) -> None:
        written = min(written, len(bodies))
        kept = digests(bodies[:written])[-min(known, written) :] if min(known, written) else []
        course = Course(written, kept)
        verdicts = [course.judge(value(body)) for body in bodies]
        assert [verdict for verdict, _ in verdicts] == [
            *[Verdict.SKIP] * written,
            *[Verdict.WRITE] * (len(bodies) - written),
        ]
        assert [digest for _, digest in verdicts] == digests(bodies)
        assert not course.is_short

    @given(BODIES, BODIES, st.integers(1, 12))
    def test_that_yields_something_else_writes_nothing_before_it_is_found_out(
        self, first: list[bytes], again: list[bytes], known: int
    ) -> None:
        """Whatever part of the digests is still known, as long as it is the last part."""
        course = Course(len(first), digests(first)[-known:])
        verdicts = [course.judge(value(body))[0] for body in again]
        differs = again[: len(first)] != first
        if Verdict.WRITE in verdicts:
            ends = verdicts.index(Verdict.WRITE)
            assert differs == (Verdict.DIVERGED in verdicts[:ends])
        else:
            assert (Verdict.DIVERGED in verdicts or course.is_short) == (differs or len(again) < len(first))

    @given(BODIES.filter(bool), BODIES)
    def test_that_resumes_goes_on_as_if_it_had_yielded_everything_itself(
        self, before: list[bytes], after: list[bytes]
    ) -> None:
        course = Course(len(before), digests(before), resume=True)
        assert course.seq == len(before)
        verdicts = [course.judge(value(body)) for body in after]
        assert {verdict for verdict, _ in verdicts} <= {Verdict.WRITE}
        assert [digest for _, digest in verdicts] == digests([*before, *after])[len(before) :]
        assert not course.is_short

    def test_that_ends_too_early_is_short(self) -> None:
        course = Course(2, digests([b"a", b"b"]))
        course.judge(value(b"a"))
        assert course.is_short


class TestAWindow:
    @given(st.lists(st.integers(0, WINDOW_BYTES), max_size=60), st.lists(st.integers(0, 60), max_size=20))
    def test_is_open_as_long_as_little_is_unread(self, sizes: list[int], grants: list[int]) -> None:
        window = Window()
        for seq, size_bytes in enumerate(sizes, 1):
            window.wrote(seq, size_bytes)
        for consumed in grants:
            window.consumed(consumed)
        unread = sizes[max([0, *grants]) :]
        assert window.is_open == (len(unread) < WINDOW_CHUNKS and sum(unread) < WINDOW_BYTES)

    @given(st.lists(st.integers(0, WINDOW_BYTES), min_size=1, max_size=60))
    def test_that_is_closed_opens_by_what_it_is_woken_at(self, sizes: list[int]) -> None:
        window = Window()
        for seq, size_bytes in enumerate(sizes, 1):
            if window.is_open:
                window.wrote(seq, size_bytes)
        assert 0 < window.wake_at <= len(sizes)
        for _ in sizes:
            window.consumed(window.wake_at)
        assert window.is_open
        assert window.wake_at <= len(sizes)

    def test_wakes_a_producer_for_half_a_window_and_not_for_every_chunk(self) -> None:
        window = Window()
        for seq in range(1, WINDOW_CHUNKS + 1):
            window.wrote(seq, 1)
        assert not window.is_open
        assert window.wake_at == WINDOW_CHUNKS // 2

    def test_never_counts_what_was_consumed_before_it_was_written_again(self) -> None:
        window = Window(consumed=10)
        window.wrote(10, WINDOW_BYTES)
        open_before = window.is_open
        window.wrote(11, WINDOW_BYTES)
        assert (open_before, window.is_open) == (True, False)

    def test_is_smaller_than_what_the_store_keeps(self) -> None:
        assert WINDOW_CHUNKS < KEPT_CHUNKS


class TestACallId:
    @given(
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40),
        st.text("a/ %ü", min_size=1),
    )
    def test_is_read_as_it_was_written(self, actor_id: str, key: str) -> None:
        call = CallId(Address("Counter", actor_id), key)
        assert CallId.parse(str(call)) == call

    @pytest.mark.parametrize(
        "text",
        ["", "Counter/c1", "Counter/c1/", "Counter/c1/k/more", "1/c1/k", "Counter//k", "A/b/" + "k" * 2000],
    )
    def test_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationError):
            CallId.parse(text)
