"""The generated parts of docs/reference, from the code they describe.

`python -m tests.docs.reference` writes them; tests/docs/test_reference.py compares.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Final

from broker_actors.core import errors, events
from broker_actors.settings import Settings
from tests.docs.pages import ROOT

_REFERENCE: Final = ROOT / "docs" / "reference"
_BEGIN: Final = "<!-- generated: python -m tests.docs.reference -->"
_END: Final = "<!-- end of generated -->"


def settings() -> Iterator[str]:
    """Yield the lines about every setting."""
    meanings = _attributes(Settings)
    yield "| setting | environment variable | type | default | meaning |"
    yield "|---|---|---|---|---|"
    for name, field in Settings.model_fields.items():
        kind = inspect.formatannotation(field.annotation)
        default = "required" if field.is_required() else f"`{field.default}`"
        cells = (f"`{name}`", f"`BROKER_ACTORS_{name.upper()}`", kind, default, meanings[name])
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def error_tree() -> Iterator[str]:
    """Yield the lines about every error, each below what it is a kind of."""
    yield from _errors(errors.BrokerActorsError, "")


def event_list() -> Iterator[str]:
    """Yield the lines about every event."""
    for event in typing.get_args(events.Event):
        yield from ("", f"## {event.__name__}", "", _summary(event), "")
        meanings = _attributes(event)
        for field in fields(event):
            meaning = f": {meanings[field.name]}" if field.name in meanings else ""
            yield f"- `{field.name}` ({field.type}){meaning}"


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "errors.md": error_tree,
    "events.md": event_list,
    "settings.md": settings,
}


def rendered(page: str) -> str:
    """Return *page* of docs/reference with its generated part as the code has it now."""
    text = (_REFERENCE / page).read_text()
    before, _, rest = text.partition(_BEGIN)
    _old, _, after = rest.partition(_END)
    part = "\n".join(PARTS[page]()).strip("\n")
    return f"{before}{_BEGIN}\n\n{part}\n\n{_END}{after}"


def write() -> None:
    """Renew every generated part."""
    for page in PARTS:
        (_REFERENCE / page).write_text(rendered(page))


def _errors(error: type[BaseException], indent: str) -> Iterator[str]:
    yield f"{indent}- `{error.__name__}`: {_summary(error)}"
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _errors(below, f"{indent}    ")


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")


def _attributes(cls: type) -> dict[str, str]:
    """Return what the section `Attributes:` of *cls*'s docstring says of each."""
    _, _, section = (inspect.getdoc(cls) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\n +", " ", meaning) for name, meaning in entries}


if __name__ == "__main__":
    write()
