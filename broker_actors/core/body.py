"""The body of an envelope: the arguments of the call, as `{"args": [...], "kwargs": {...}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from broker_actors.core import codec
from broker_actors.core.codec import Simplify, refuse
from broker_actors.core.envelope import MEDIA_TYPES, MSGPACK
from broker_actors.core.errors import InvalidArgumentsError, Plain, UndecodableError

_PARTS: Final = frozenset({"args", "kwargs"})
_SHAPE: Final = 'a body is a map {"args": [...], "kwargs": {...}}'


def encode(
    args: Sequence[object],
    kwargs: Mapping[str, object],
    content_type: str = MSGPACK,
    *,
    simplify: Simplify = refuse,
) -> bytes:
    """Return the body of a call.

    Raises:
        InvalidArgumentsError: an argument has no plain form.
        PayloadTooLargeError: the body is over its limit.

    """
    try:
        return codec.encode({"args": list(args), "kwargs": dict(kwargs)}, content_type, simplify=simplify)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentsError("invalid_arguments", f"an argument cannot be sent: {error}") from error


def decode(body: bytes, content_type: str) -> tuple[list[Plain], dict[str, Plain]]:
    """Return the arguments in *body*; both parts are optional, and so is an empty body.

    Raises:
        UndecodableError: it is something else.
        PayloadTooLargeError: it is over its limit.

    """
    if not body and content_type in MEDIA_TYPES:
        return [], {}
    fields = codec.decode(body, content_type)
    if not isinstance(fields, dict) or not fields.keys() <= _PARTS:
        raise UndecodableError(_SHAPE)
    args, kwargs = fields.get("args", []), fields.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise UndecodableError(_SHAPE)
    if kwargs and not codec.has_text_keys(kwargs):
        raise UndecodableError("the names in kwargs must be text")
    return args, kwargs
