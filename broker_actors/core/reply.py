"""The reply: what an ask's caller receives and a keyed record keeps.

A map with `ok` and either `result` or `error`, encoded like the request it answers, so
that a foreign caller who sent JSON reads JSON.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker_actors.core.codec import Simplify, decode_map, encode, refuse
from broker_actors.core.envelope import MSGPACK
from broker_actors.core.errors import ErrorRecord, PayloadTooLargeError, Plain, UndecodableError
from broker_actors.core.light import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An encoded reply.

    Attributes:
        body: the encoded map.
        content_type: its encoding.

    """

    body: bytes
    content_type: str = MSGPACK


def of_result(value: object, content_type: str = MSGPACK, *, simplify: Simplify = refuse) -> Reply:
    """Return the reply that carries *value*; raises what `codec.encode` raises."""
    body = encode({"ok": True, "result": value}, content_type, simplify=simplify, what="result")
    return Reply(body, content_type)


#: Stands for the result of a call that nobody can read the result of.
UNREAD: Final = of_result(None)


def of_error(error: ErrorRecord, content_type: str = MSGPACK) -> Reply:
    """Return the reply that carries *error*; without its details if those cannot travel."""
    try:
        body = _error_body(error, content_type)
    except (TypeError, PayloadTooLargeError) as problem:
        text = f"{error.message} (its details cannot be sent: {problem})"
        body = _error_body(replace(error, message=text, details={}), content_type)
    return Reply(body, content_type)


def _error_body(error: ErrorRecord, content_type: str) -> bytes:
    return encode({"ok": False, "error": error_to_plain(error)}, content_type, what="error")


def read(reply: Reply) -> Plain | ErrorRecord:
    """Return the result, or the error, in *reply*.

    Raises:
        UndecodableError: it is not a reply.

    """
    fields = decode_map(reply.body, reply.content_type)
    match fields:
        case {"ok": True, **rest}:
            return rest.get("result")
        case {"ok": False, "error": dict(error)}:
            return error_from_plain(error)
        case _:
            raise UndecodableError("a reply without ok and error")


def error_to_plain(error: ErrorRecord) -> dict[str, Plain]:
    """Return *error* as the map that travels in replies and dead letters."""
    return {
        "kind": error.kind,
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "details": dict(error.details),
        "recoverable": error.recoverable,
        "traceback": error.traceback,
    }


def error_from_plain(fields: dict[str, Plain]) -> ErrorRecord:
    """Read an error map somebody else may have written; unknown or ill-typed fields become empty."""
    details = fields.get("details")
    return ErrorRecord(
        kind=_text(fields, "kind"),
        type=_text(fields, "type"),
        message=_text(fields, "message"),
        code=_text(fields, "code"),
        details=details if isinstance(details, dict) else {},
        recoverable=fields.get("recoverable") is True,
        traceback=_text(fields, "traceback"),
    )


def _text(fields: dict[str, Plain], name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""
