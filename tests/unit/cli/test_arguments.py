from __future__ import annotations

import pytest

from broker_actors.cli.arguments import parse
from broker_actors.core.errors import ConfigurationError, Plain


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ("hello", "hello"),
        ("hello world", "hello world"),
        ('"5"', "5"),
        ('"a=b"', "a=b"),
        ("[1, 2]", [1, 2]),
        ('{"a": {"b": null}}', {"a": {"b": None}}),
        ("[1, 2", "[1, 2"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("", ""),
        ("=5", "=5"),
        ("5=5", "5=5"),
        ("a-b=5", "a-b=5"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_positional_argument_is_json_or_text(word: str, value: Plain) -> None:
    assert parse([word]) == ([value], {})


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("n=5", "n", 5),
        ("sku=tea", "sku", "tea"),
        ("text=", "text", ""),
        ("text=a=b", "text", "a=b"),
        ("text=two\nlines", "text", "two\nlines"),
        ('who="5"', "who", "5"),
        ("größe=[1]", "größe", [1]),
    ],
)
def test_a_word_that_begins_with_a_name_is_a_named_argument(word: str, name: str, value: Plain) -> None:
    assert parse([word]) == ([], {name: value})


def test_positional_arguments_come_first() -> None:
    assert parse(["tea", "3", "gift=true"]) == (["tea", 3], {"gift": True})
    with pytest.raises(ConfigurationError, match="'3' stands after a named one: put it before gift="):
        parse(["gift=true", "3"])


@pytest.mark.parametrize("word", ["\udcff\udcfe", "text=\udcff", '{"a": "\udcff"}'])
def test_bytes_that_are_no_text_are_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written as UTF-8"):
        parse([word])


def test_a_name_is_given_once() -> None:
    with pytest.raises(ConfigurationError, match="n= is given twice"):
        parse(["n=1", "n=2"])
