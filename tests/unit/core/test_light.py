"""Light data classes are what the standard decorator makes of them, but for who keeps them as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from broker_actors.core.light import dataclass


@dataclass(frozen=True, slots=True)
class Light:
    one: int
    other: tuple[int, ...] = (1,)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    one: int
    other: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, eq=False)
class Itself:
    one: int


def test_a_light_class_compares_hashes_and_matches_by_value() -> None:
    assert Light(1) == Light(1) != Light(2)
    assert {Light(1): "found"}[Light(1)] == "found"
    assert hash(Light(1)) == hash(Standard(1))
    assert Light.__match_args__ == Standard.__match_args__
    assert replace(Light(1), one=2) == Light(2)
    assert not hasattr(Light(1), "__dict__")


def test_a_light_class_may_compare_by_identity() -> None:
    one = Itself(1)
    assert one != Itself(1)
    assert {one} == {one}


def test_nothing_that_may_change_is_light() -> None:
    with pytest.raises(AssertionError):
        dataclass(frozen=False, slots=True)
