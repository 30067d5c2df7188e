"""What the tests of core draw from.

The profile is set in tests/conftest.py: the same examples in every run, no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from hypothesis import strategies as st

from broker_actors.core.address import Address
from broker_actors.core.envelope import JSON, MSGPACK, Envelope
from broker_actors.core.errors import ErrorRecord, Plain
from broker_actors.core.wire import WireMessage

#: Any text UTF-8 can carry.
texts: Final = st.text(st.characters(codec="utf-8"))
#: Text that has what escapes and encoders stumble over, lone surrogates included.
wild_texts: Final = st.text(st.characters(exclude_categories=()), max_size=20)
int64s: Final = st.integers(-(2**63), 2**64 - 1)

_scalars: Final = (
    st.none() | st.booleans() | int64s | st.floats(allow_nan=False, allow_infinity=False) | texts
)
#: Keys that make a map look like the JSON form of bytes, or like the escape of that.
_keys: Final = st.sampled_from(["$bytes", "$$bytes", "$$$bytes", "bytes", ""]) | texts
#: What both encodings carry unchanged.
plain_values: Final[st.SearchStrategy[Plain]] = st.recursive(
    _scalars | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=20,
)

types: Final = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True)
ids: Final = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=42
)
addresses: Final = st.builds(Address, types, ids)
content_types: Final = st.sampled_from([JSON, MSGPACK])
numbers: Final = st.integers(1, 2**63 - 1)
short_texts: Final = st.text(st.characters(codec="utf-8"), max_size=60)

errors: Final = st.builds(
    ErrorRecord,
    kind=st.sampled_from(
        ["BusinessError", "SystemFaultError", "UnknownMethodError", "UndecodableError", "CallCycleError"]
    ),
    type=short_texts,
    message=texts,
    code=short_texts,
    details=st.dictionaries(short_texts, plain_values, max_size=3),
    recoverable=st.booleans(),
    traceback=texts,
)

#: Envelopes as our own senders make them: numbered ones have a sender, and the other way round.
envelopes: Final = st.builds(
    Envelope,
    addresses,
    method=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    body=st.binary(max_size=50),
    content_type=content_types,
    key=short_texts,
    attempt=numbers,
    deadline_ms=st.just(0) | numbers,
    chain=st.lists(addresses.map(str), max_size=4).map(tuple),
    reply_to=short_texts,
    correlation_id=short_texts,
    sent_seconds=st.just(0) | numbers,
    traceparent=short_texts,
    tracestate=short_texts,
    history=short_texts,
    message_id=short_texts,
) | st.builds(
    Envelope, addresses, method=st.just("add"), sender=short_texts.filter(bool), seq=numbers, low=numbers
)

#: Everything an AMQP table can hold, and more.
rubbish: Final[st.SearchStrategy[object]] = st.recursive(
    wild_texts
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=20)
    | st.just(datetime(2026, 1, 1, tzinfo=UTC))
    | st.just(Decimal("1.5")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(wild_texts, inner, max_size=3),
    max_leaves=5,
)
HEADER_NAMES: Final = (
    "ba-version", "ba-type", "ba-id", "ba-sender", "ba-seq", "ba-low", "ba-key", "ba-attempt", "ba-deadline",
    "ba-chain", "ba-history", "traceparent", "tracestate", "ba-route", "ba-due", "ba-dead-id", "ba-reason",
    "ba-error", "ba-traceback", "ba-origin", "ba-died", "x-death", "x-first-death-queue", "x-mine", "CC",
)  # fmt: skip
rubbish_headers: Final[st.SearchStrategy[Mapping[str, object]]] = st.dictionaries(
    st.sampled_from(HEADER_NAMES) | texts, rubbish, max_size=8
)
#: Headers that are right but for a few: the readers behind the first check are reached too.
nearly_right_headers: Final = rubbish_headers.map(
    lambda found: {"ba-type": "Counter", "ba-id": "c1", **dict(list(found.items())[:2])}
)
rubbish_messages: Final = st.builds(
    WireMessage,
    headers=rubbish_headers | nearly_right_headers,
    body=st.binary(max_size=50),
    content_type=wild_texts | content_types,
    type=st.just("add") | wild_texts,
    correlation_id=texts,
    reply_to=texts,
    timestamp_seconds=st.integers(0, 2**63 - 1),
    message_id=texts,
)
