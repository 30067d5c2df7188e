"""Addresses: what is a type and an id, and where an id lives."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.address import (
    ACTOR_ID_BYTES_MAX,
    BUCKETS,
    Address,
    bucket_of,
    buckets_of,
    check_id,
    check_type,
    is_type,
    partition_of,
)
from broker_actors.core.errors import ConfigurationError
from tests.unit.core import strategies as some

# CRC-32/ISO-HDLC: the catalogue's check value, then the strings most hash collections publish.
PUBLISHED = [
    ("123456789", 0xCBF43926),
    ("a", 0xE8B7BE43),
    ("abc", 0x352441C2),
    ("message digest", 0x20159D7F),
    ("abcdefghijklmnopqrstuvwxyz", 0x4C2750BD),
    ("The quick brown fox jumps over the lazy dog", 0x414FA339),
]


@pytest.mark.parametrize(("actor_id", "crc"), PUBLISHED)
def test_the_partition_is_the_published_crc32_modulo_the_count(actor_id: str, crc: int) -> None:
    assert partition_of(actor_id, 2**32) == crc
    for partitions in (1, 8, 100, 1024):
        assert partition_of(actor_id, partitions) == crc % partitions


@given(some.ids, st.integers(1, 1024))
def test_a_partition_is_a_bit_by_bit_crc_of_the_utf8_bytes(actor_id: str, partitions: int) -> None:
    crc = 0xFFFFFFFF
    for byte in actor_id.encode("utf-8"):
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    assert partition_of(actor_id, partitions) == (crc ^ 0xFFFFFFFF) % partitions


def test_ids_spread_evenly() -> None:
    counts = Counter(partition_of(f"user-{n}", 8) for n in range(8_000))
    assert len(counts) == 8
    assert max(counts.values()) < 1.2 * min(counts.values())


@given(some.ids)
def test_every_text_without_control_characters_is_an_id(actor_id: str) -> None:
    assert check_id(actor_id) == actor_id


@pytest.mark.parametrize(
    "actor_id", ["a b", "żółw", "👩‍👩‍👧", "می‌خواهم", "a/b.c#*{}", "\U000e0001", "x" * 170]
)
def test_ids_may_look_like_anything_people_write(actor_id: str) -> None:
    assert check_id(actor_id) == actor_id


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029])
def test_control_characters_and_line_separators_are_no_part_of_an_id(code: int) -> None:
    with pytest.raises(ConfigurationError, match="control characters"):
        check_id(f"a{chr(code)}b")


@pytest.mark.parametrize("actor_id", ["", "x" * (ACTOR_ID_BYTES_MAX + 1), "é" * 86])
def test_an_id_has_one_to_170_utf8_bytes(actor_id: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 170 UTF-8 bytes"):
        check_id(actor_id)


def test_an_id_that_utf8_cannot_carry_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be written as UTF-8"):
        check_id("a\ud800")


@given(some.types)
def test_an_ascii_identifier_of_up_to_64_characters_is_a_type(name: str) -> None:
    assert check_type(name) == name
    assert is_type(name)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a.b", "a b", "é", "a\n", "x" * 65, "by-broker", "a/b"])
def test_anything_else_is_no_type(name: str) -> None:
    assert not is_type(name)
    with pytest.raises(ConfigurationError, match="ASCII identifier"):
        check_type(name)


def test_an_address_reads_type_slash_id() -> None:
    assert str(Address("Counter", "c1")) == "Counter/c1"


@given(some.addresses)
def test_the_bucket_is_a_redis_hash_tag_of_the_type_and_the_crc(address: Address) -> None:
    bucket = bucket_of(address)
    assert bucket == f"{{{address.type}:{partition_of(address.id, 256)}}}"
    assert bucket in buckets_of(address.type)


def test_a_type_has_256_buckets() -> None:
    assert len(set(buckets_of("Counter"))) == BUCKETS == 256


def test_an_address_is_no_tuple() -> None:
    # It would be sent, and logged as JSON, as a list.
    assert not isinstance(Address("Counter", "c1"), tuple)


@given(some.addresses, some.addresses)
def test_equal_addresses_have_equal_hashes(one: Address, other: Address) -> None:
    assert one != other or hash(one) == hash(other)
    assert hash(one) == hash(Address(one.type, one.id))
