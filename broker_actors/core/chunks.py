"""What travels in a chunk stream, and the producer's three questions about it.

Is this chunk the next one, one that was written before a crash, or something else than
what was written? May the generator take its next step? From where on is it worth waking?
Facts in, answers out: `runtime.streaming` does the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from hashlib import blake2b
from typing import Final

from broker_actors.core.errors import UndecodableError
from broker_actors.core.reply import Reply

#: Chunks, and their bytes, that are written and not consumed; a single larger chunk passes alone.
WINDOW_CHUNKS: Final = 32
WINDOW_BYTES: Final = 1_048_576
#: What is kept for a consumer that resumes, with what was not consumed yet.
KEPT_CHUNKS: Final = 256
KEPT_BYTES: Final = 4 * 1_048_576
DIGEST_BYTES: Final = 16
#: A chunk of more bytes does not go along with the signal of its coming.
CARRIED_BYTES_MAX: Final = 16_384

_NOTHING: Final = b"\0" * DIGEST_BYTES


class Kind(IntEnum):
    """What a chunk is. END and ERROR are the last of their stream."""

    VALUE = 1
    END = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: a value, encoded by itself, or the end or error as a reply.

    Attributes:
        kind: what it is.
        body: its bytes.
        content_type: their encoding.

    """

    kind: Kind
    body: bytes
    content_type: str

    @classmethod
    def last(cls, reply: Reply, *, failed: bool) -> Chunk:
        """Return the chunk that ends a stream with *reply*."""
        return cls(Kind.ERROR if failed else Kind.END, reply.body, reply.content_type)

    def pack(self) -> bytes:
        """Return the chunk as the store keeps it."""
        return b"%d%s\0%s" % (self.kind, self.content_type.encode(), self.body)

    @classmethod
    def unpack(cls, data: bytes) -> Chunk:
        """Read what `pack` wrote.

        Raises:
            UndecodableError: it did not.

        """
        content_type, nul, body = data[1:].partition(b"\0")
        try:
            kind = Kind(int(data[:1]))
            text = content_type.decode()
        except ValueError as error:
            raise UndecodableError(f"not a chunk: {data[:40]!r}") from error
        if not nul:
            raise UndecodableError(f"not a chunk: {data[:40]!r}")
        return cls(kind, body, text)


def carried(data: bytes) -> tuple[int, Chunk] | None:
    """Return the chunk that came with a signal, and its number; None if there is none."""
    seq, colon, packed = data.partition(b":")
    try:
        return (int(seq), Chunk.unpack(packed)) if colon else None
    except (ValueError, UndecodableError):
        # Whoever knows the channel can write there; the chunk is in the store.
        return None


def digest_after(digest: bytes, chunk: Chunk) -> bytes:
    """Return the digest of a stream that had *digest* and goes on with *chunk*.

    A digest stands for everything up to its chunk, so that comparing the last one is enough.
    """
    return blake2b(digest + chunk.pack(), digest_size=DIGEST_BYTES).digest()


class Verdict(Enum):
    """What to do with a chunk that a run yields."""

    WRITE = auto()
    SKIP = auto()
    DIVERGED = auto()


class Course:
    """One run of a generator against what is written already.

    Attributes:
        seq: chunks this run has yielded, or passed over because it resumed after them.

    """

    __slots__ = ("_digest", "_digests", "_first", "_written", "seq")

    def __init__(self, written: int = 0, digests: Sequence[bytes] = (), *, resume: bool = False) -> None:
        """Begin a run.

        Args:
            written: chunks earlier runs have written.
            digests: of the last of them, in order; older ones are not known any more.
            resume: whether the generator continues after them, and does not yield them again.

        """
        self._written = written
        self._digests = tuple(digests)
        self._first = written - len(self._digests) + 1
        self.seq = written if resume else 0
        self._digest = digests[-1] if resume and digests else _NOTHING

    def judge(self, chunk: Chunk) -> tuple[Verdict, bytes]:
        """Return what to do with the next *chunk*, and the digest of the stream with it."""
        self.seq += 1
        self._digest = digest_after(self._digest, chunk)
        if self.seq > self._written:
            return Verdict.WRITE, self._digest
        at = self.seq - self._first
        # A chunk whose digest is not known any more is vouched for by the later ones.
        same = at < 0 or self._digests[at] == self._digest
        return (Verdict.SKIP if same else Verdict.DIVERGED), self._digest

    @property
    def is_short(self) -> bool:
        """Whether ending now would leave out what was written before."""
        return self.seq < self._written


class Window:
    """What is written and not consumed yet."""

    __slots__ = ("_bytes", "_consumed", "_unread")

    def __init__(self, consumed: int = 0) -> None:
        self._consumed = consumed
        #: Number and size of each, oldest first.
        self._unread: deque[tuple[int, int]] = deque()
        self._bytes = 0

    def wrote(self, seq: int, size_bytes: int) -> None:
        """Take note that chunk *seq* is written, now or by an earlier run."""
        if seq > self._consumed:
            self._unread.append((seq, size_bytes))
            self._bytes += size_bytes

    def consumed(self, seq: int) -> None:
        """Take note that the consumer is done with everything up to *seq*."""
        self._consumed = max(self._consumed, seq)
        while self._unread and self._unread[0][0] <= self._consumed:
            self._bytes -= self._unread.popleft()[1]

    @property
    def consumed_seq(self) -> int:
        """Up to which chunk the consumer is done."""
        return self._consumed

    @property
    def is_open(self) -> bool:
        """Whether the generator may take its next step."""
        return len(self._unread) < WINDOW_CHUNKS and self._bytes < WINDOW_BYTES

    @property
    def wake_at(self) -> int:
        """What must be consumed before a stalled producer is worth waking: half of the window."""
        if not self._unread:
            return 0
        return self._unread[(len(self._unread) - 1) // 2][0]
