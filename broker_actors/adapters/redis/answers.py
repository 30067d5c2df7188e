"""Reading what Redis answered: the expected shape, or an error that says what came instead."""

from __future__ import annotations

from redis.exceptions import RedisError

from broker_actors.adapters.redis.connection import Answer
from broker_actors.core.errors import StoreUnavailableError


def to_bytes(answer: Answer) -> bytes:
    """Return *answer* as bytes; raises StoreUnavailableError if it is anything else."""
    if isinstance(answer, bytes):
        return answer
    raise _unexpected(answer)


def to_optional(answer: Answer) -> bytes | None:
    """Return *answer* as bytes or None; raises StoreUnavailableError if it is anything else."""
    return None if answer is None else to_bytes(answer)


def to_int(answer: Answer) -> int:
    """Return *answer* as a number, also from digits; raises StoreUnavailableError if it is anything else."""
    if isinstance(answer, int):
        return answer
    digits = to_bytes(answer)
    if digits.isdigit():
        return int(digits)
    raise _unexpected(answer)


def to_list(answer: Answer, length: int | None = None) -> list[Answer]:
    """Return *answer* as a list, of *length* if given; raises StoreUnavailableError if it is not one."""
    if isinstance(answer, list) and (length is None or len(answer) == length):
        return answer
    raise _unexpected(answer)


def to_pairs(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the fields and values of a hash; raises StoreUnavailableError if it is anything else."""
    flat = [to_bytes(item) for item in to_list(answer)]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _unexpected(answer: Answer) -> StoreUnavailableError:
    if not isinstance(answer, RedisError):
        return StoreUnavailableError(f"Redis answered {answer!r:.200}: is another program using these keys?")
    code = getattr(answer, "status_code", None) or ""
    text = f"Redis refused: {code} {answer}".replace("  ", " ")
    if code == "OOM":
        text += ". It is out of memory: raise maxmemory, or find what grew with MEMORY USAGE"
    return StoreUnavailableError(text)
