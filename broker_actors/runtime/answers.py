"""How a method ended, as data: its result or its error."""

from __future__ import annotations

import traceback
from types import TracebackType

from broker_actors.actor.plain import simplify
from broker_actors.core import reply
from broker_actors.core.dead import TRACEBACK_CHARACTERS_MAX
from broker_actors.core.errors import ErrorRecord, SystemFaultError, describe
from broker_actors.core.reply import Reply


class OffloadedError(Exception):
    """What a method raised in another process, as data."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record.message)
        self.record = record


def result_of(value: object, where: str, content_type: str) -> Reply:
    """Return what the method at *where* returned, encoded.

    Raises:
        SystemFaultError: it has no plain form.
        PayloadTooLargeError: it is over its limit.

    """
    try:
        return reply.of_result(value, content_type, simplify=simplify)
    except TypeError as error:
        text = f"{where} returned what cannot be sent: {error}"
        raise SystemFaultError(text, recoverable=False) from error


def failure_of(error: BaseException) -> ErrorRecord:
    """Return *error* as data, with as much of its traceback as a header holds."""
    if isinstance(error, OffloadedError):
        return error.record
    try:
        text = "".join(traceback.format_exception(type(error), error, _from_user_code(error)))
    except BaseException:  # noqa: BLE001 - an exception may carry attributes that cannot be formatted
        text = "the traceback cannot be formatted"
    return describe(error, text[-TRACEBACK_CHARACTERS_MAX:])


def _from_user_code(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without our own frames at its beginning: they are always the same."""
    whole = frames = error.__traceback__
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return frames or whole


def _is_ours(frames: TracebackType) -> bool:
    return str(frames.tb_frame.f_globals.get("__package__")) == __package__
