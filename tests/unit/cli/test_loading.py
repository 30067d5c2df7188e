from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_actors.cli.loading import load
from broker_actors.core.errors import ConfigurationError

ACTORS = """
from broker_actors import Ref, actor, method

@actor
class First:
    @method
    def go(self) -> None: ...

@actor
class Second:
    @method
    def go(self) -> None: ...

class FirstRef(First, Ref): ...
class Plain: ...
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory of the test's own, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("cli_")]:
        del sys.modules[name]


def names(*targets: str) -> list[str]:
    return [cls.__name__ for cls in load(targets)]


def test_a_module_gives_the_actors_it_defines_in_their_order(here: Path) -> None:
    (here / "cli_shop.py").write_text(ACTORS)
    assert names("cli_shop") == ["First", "Second"]


def test_a_class_is_chosen_by_name_and_each_is_run_once(here: Path) -> None:
    (here / "cli_shop.py").write_text(ACTORS)
    assert names("cli_shop:Second") == ["Second"]
    assert names("cli_shop:Second", "cli_shop", "cli_shop:First") == ["Second", "First"]


def test_imported_actors_are_run_only_if_the_module_lists_them(here: Path) -> None:
    (here / "cli_shop.py").write_text(ACTORS)
    (here / "cli_refs.py").write_text("from cli_shop import First")
    (here / "cli_daemon.py").write_text("from cli_shop import First, Second\n__all__ = ['Second']")
    with pytest.raises(ConfigurationError, match=r"no actors in cli_refs: .* __all__"):
        load(["cli_refs"])
    assert names("cli_daemon") == ["Second"]
    assert names("cli_refs:First") == ["First"]


def test_the_daemon_of_the_orders_has_the_actors_of_the_demo() -> None:
    assert names("workers.orders") == ["Inventory", "Notifier", "Order", "Payment"]


@pytest.mark.parametrize("name", ["cli_nowhere", "cli_nowhere.below", "workers.nowhere"])
def test_a_module_that_is_missing_is_named_with_where_it_was_looked_for(here: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no module '{name}': looked in {here}"):
        load([name])


@pytest.mark.parametrize("target", ["my/orders.py", "./my/orders", "my/orders"])
def test_a_file_is_answered_with_its_module(target: str) -> None:
    with pytest.raises(ConfigurationError, match=r"not the file \(my\.orders\)"):
        load([target])


@pytest.mark.parametrize(
    ("source", "where", "error"),
    [
        ("import cli_gone", "cli_bad.py:1", "ModuleNotFoundError: No module named 'cli_gone'"),
        ("\n1 / 0", "cli_bad.py:2", "ZeroDivisionError: division by zero"),
        ("\n\ndef :", "cli_bad.py:3", "SyntaxError"),
        ("import sys\nsys.exit(0)", "cli_bad.py:2", "SystemExit: 0"),
        (
            ACTORS.replace("First:", "First:\n    things: list[int] = []"),
            ":",
            "ConfigurationError: First.things",
        ),
    ],
    ids=["missing import", "raises", "syntax", "ends itself", "refused declaration"],
)
def test_a_module_that_cannot_be_imported_says_where_and_why(
    here: Path, source: str, where: str, error: str
) -> None:
    (here / "cli_bad.py").write_text(source)
    with pytest.raises(ConfigurationError, match="importing cli_bad failed at") as caught:
        load(["cli_bad"])
    assert where in str(caught.value)
    assert error in str(caught.value)


@pytest.mark.parametrize("name", ["Third", "Plain", "FirstRef", "__name__"])
def test_a_class_that_is_no_actor_is_answered_with_those_that_are(here: Path, name: str) -> None:
    (here / "cli_shop.py").write_text(ACTORS)
    with pytest.raises(
        ConfigurationError, match=f"{name} is no actor class of cli_shop, which has First, Second"
    ):
        load([f"cli_shop:{name}"])
