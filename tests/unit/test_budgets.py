"""Files stay small and nothing is silenced. Every finding names its file and number."""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("broker_actors", "workers")

_FILE_LINES_MAX = 400
_FILE_LINES_MEDIAN_MAX = 150
_FUNCTION_LINES_MAX = 50
_FUNCTION_LINES_HARD_MAX = 70
_PARAMETERS_MAX = 6
_CLASS_DEPTH_MAX = 2

_LONG_FOR_A_REASON: dict[str, str] = {}
"""Functions between the two limits, as "path:name", each with the reason."""

_MEANINGLESS_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}

_SILENCER = re.compile(r"(type|pyright):\s*ignore|#\s*noqa", re.IGNORECASE)
_NEEDS_A_REASON = re.compile(r"type:\s*ignore|noqa", re.IGNORECASE)
_WITH_CODES = re.compile(r"(type|pyright):\s*ignore\[[\w\-, ]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*")
_WHOLE_FILE = re.compile(r"#\s*(ruff:\s*noqa|flake8:\s*noqa|mypy:|pyright:\s*(basic|standard))")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _sources() -> dict[str, str]:
    files = [file for package in _PACKAGES for file in sorted((_ROOT / package).rglob("*.py"))]
    return {str(file.relative_to(_ROOT)): file.read_text() for file in files}


@cache
def _trees() -> dict[str, ast.Module]:
    return {path: ast.parse(source, path) for path, source in _sources().items()}


def _functions() -> Iterator[tuple[str, _Function]]:
    for path, tree in _trees().items():
        for node in ast.walk(tree):
            if isinstance(node, _Function):
                yield path, node


def test_the_walk_finds_the_packages() -> None:
    assert {Path(path).parts[0] for path in _sources()} == set(_PACKAGES)


def test_files_are_short() -> None:
    lengths = {path: len(source.splitlines()) for path, source in _sources().items()}
    _fail_if_any(f"{path}: {n} lines" for path, n in lengths.items() if n > _FILE_LINES_MAX)
    # Package files say what belongs in the package; counting them would flatter the median.
    modules = [n for path, n in lengths.items() if not path.endswith("__init__.py")]
    assert statistics.median(modules) <= _FILE_LINES_MEDIAN_MAX


def test_functions_are_short() -> None:
    _fail_if_any(
        f"{path}:{node.lineno} {node.name}: {lines} lines"
        for path, node in _functions()
        if (lines := _body_lines(node)) > _lines_allowed(path, node)
    )


def test_functions_take_few_parameters() -> None:
    _fail_if_any(
        f"{path}:{node.lineno} {node.name}: {count} parameters"
        for path, node in _functions()
        if (count := _parameters(node)) > _PARAMETERS_MAX and not _argues_its_parameters(path, node)
    )


def test_inheritance_is_shallow() -> None:
    classes = _classes()
    depths = {name: _depth(name, classes) for name in classes if not name.endswith(("Error", "Exception"))}
    _fail_if_any(f"{name}: depth {depth}" for name, depth in depths.items() if depth > _CLASS_DEPTH_MAX)


def test_modules_have_names_that_mean_something() -> None:
    paths = [Path(path) for path in _sources()]
    parts = {part for path in paths for part in path.with_suffix("").parts}
    assert parts & _MEANINGLESS_NAMES == set()


def test_whoever_silences_a_tool_says_what_and_why() -> None:
    _fail_if_any(
        f"{path}:{line} {comment}"
        for path, source in _sources().items()
        for line, comment in _comments(source)
        if _is_unargued(comment)
    )


def test_no_error_vanishes() -> None:
    _fail_if_any(
        f"{path}:{node.lineno}"
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler | ast.Call) and _swallows_everything(node)
    )


def _fail_if_any(findings: Iterable[str]) -> None:
    found = "\n".join(findings)
    assert not found, found


def _body_lines(function: _Function) -> int:
    first = function.body[0]
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def _lines_allowed(path: str, function: _Function) -> int:
    is_excused = f"{path}:{function.name}" in _LONG_FOR_A_REASON
    return _FUNCTION_LINES_HARD_MAX if is_excused else _FUNCTION_LINES_MAX


def _parameters(function: _Function) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    count = len(named) + (arguments.vararg is not None) + (arguments.kwarg is not None)
    return count - bool(named and named[0].arg in {"self", "cls"})


def _argues_its_parameters(path: str, function: _Function) -> bool:
    # The linter counts them too; a reason given to it, as commands with many options have, is enough.
    return "noqa: PLR0913" in _sources()[path].splitlines()[function.lineno - 1]


def _classes() -> dict[str, list[str]]:
    """Return the dotted names of all our classes with those of their bases."""
    classes: dict[str, list[str]] = {}
    for path, tree in _trees().items():
        module = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        names = _imported(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = (_dotted(base) for base in node.bases)
                classes[f"{module}.{node.name}"] = [_resolved(base, module, names) for base in bases]
    return classes


def _imported(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _dotted(node.value)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _resolved(name: str, module: str, imported: dict[str, str]) -> str:
    head, dot, rest = name.partition(".")
    return f"{imported.get(head, head if dot else f'{module}.{head}')}{dot}{rest}"


def _depth(name: str, classes: dict[str, list[str]]) -> int:
    return 1 + max((_depth(base, classes) for base in classes[name] if base in classes), default=0)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _is_unargued(comment: str) -> bool:
    if _WHOLE_FILE.search(comment):
        return True
    remaining = _WITH_CODES.sub("", comment)
    if _SILENCER.search(remaining):
        return True
    # What remains is the reason. Pyright's rules about unknown types name theirs: no stubs.
    return _NEEDS_A_REASON.search(comment) is not None and re.search("[A-Za-z]", remaining) is None


def _swallows_everything(node: ast.ExceptHandler | ast.Call) -> bool:
    """Tell whether *node* drops every exception unseen."""
    if isinstance(node, ast.ExceptHandler):
        return _is_broad(node.type) and all(isinstance(s, ast.Pass | ast.Continue) for s in node.body)
    is_suppress = _dotted(node.func).endswith("suppress")
    return is_suppress and any(_is_broad(argument) for argument in node.args)


def _is_broad(exception: ast.expr | None) -> bool:
    if isinstance(exception, ast.Tuple):
        return any(_is_broad(element) for element in exception.elts)
    return exception is None or _dotted(exception) in {"Exception", "BaseException"}


@pytest.mark.parametrize(
    ("comment", "is_unargued"),
    [
        ("# type: ignore", True),
        ("# type: ignore[arg-type]", True),
        ("# type: ignore[arg-type]  # the stubs lag behind", False),
        ("# pyright: ignore", True),
        ("# pyright: ignore[reportUnknownMemberType]", False),
        ("# type: ignore[a]  # pyright: ignore[b]", True),
        ("# type: ignore[a]  # pyright: ignore[b] - no stubs", False),
        ("# noqa", True),
        ("# noqa: BLE001", True),
        ("# noqa: BLE001, S110 - whatever a user's method raises is data", False),
        ("# ruff: noqa", True),
        ("# quiet because the caller logs", False),
    ],
)
def test_the_rule_about_silencing(comment: str, is_unargued: bool) -> None:
    assert _is_unargued(comment) is is_unargued


@pytest.mark.parametrize(
    ("source", "is_swallowed"),
    [
        ("try: f()\nexcept Exception: pass", True),
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept (OSError, BaseException): pass", True),
        ("with contextlib.suppress(Exception): f()", True),
        ("try: f()\nexcept OSError: pass", False),
        ("try: f()\nexcept Exception as error: log(error)", False),
    ],
)
def test_the_rule_about_vanishing_errors(source: str, is_swallowed: bool) -> None:
    candidates = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ExceptHandler | ast.Call)]
    assert any(_swallows_everything(node) for node in candidates) is is_swallowed


def test_the_rule_about_inheritance() -> None:
    classes: dict[str, list[str]] = {
        "a.Base": [],
        "b.Middle": ["a.Base", "typing.Protocol"],
        "b.Leaf": ["b.Middle"],
    }
    assert [_depth(name, classes) for name in classes] == [1, 2, 3]
