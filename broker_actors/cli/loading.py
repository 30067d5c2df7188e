"""Actor classes by the name of their module, as given on the command line."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from broker_actors.actor.spec import is_actor
from broker_actors.core.errors import ConfigurationError


def load(targets: Sequence[str]) -> list[type]:
    """Return the actor classes that *targets* name, each once, in their order.

    The current directory is importable, as it is for `python -m`.

    Args:
        targets: `module`, for all its actors, or `module:Class`.

    Raises:
        ConfigurationError: a module or class is missing, cannot be imported or is no actor.

    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return list(dict.fromkeys(cls for target in targets for cls in _load(target)))


def actors_of(module: ModuleType) -> list[type]:
    """Return the actor classes of *module*: those it defines, and those it lists in `__all__`.

    An actor that is only imported, say to declare a ref, is somebody else's to run.
    """
    public: Sequence[str] = getattr(module, "__all__", ())
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and is_actor(value)
        and (value.__module__ == module.__name__ or name in public)
    ]


def _load(target: str) -> list[type]:
    module_name, _, class_name = target.partition(":")
    module = _imported(module_name)
    found = actors_of(module)
    if not class_name:
        if not found:
            text = (
                f"no actors in {module_name}: decorate a class with @actor, or list imported ones in __all__"
            )
            raise ConfigurationError(text)
        return found
    chosen: object = getattr(module, class_name, None)
    if not isinstance(chosen, type) or not is_actor(chosen):
        names = ", ".join(cls.__name__ for cls in found) or "no actors"
        text = f"{class_name} is no actor class of {module_name}, which has {names}"
        raise ConfigurationError(text)
    return [chosen]


def _imported(name: str) -> ModuleType:
    if not name:
        raise ConfigurationError("no module is named: write MODULE or MODULE:CLASS, as in my.actors:Counter")
    if name.startswith(".") or "/" in name:
        raise ConfigurationError(f"no module {name!r}{_advice(name)}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(f"{missing}."):
            raise _refusal(name, error) from error
        raise ConfigurationError(f"no module {name!r}{_advice(name)}") from error
    except (Exception, SystemExit) as error:
        # A program that ends itself when it is imported must not look like a worker that ended in order.
        raise _refusal(name, error) from error


def _refusal(name: str, error: BaseException) -> ConfigurationError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    # A syntax error is raised by the importer, but knows itself where it is.
    where = (
        f"{error.filename}:{error.lineno}"
        if isinstance(error, SyntaxError)
        else f"{last.filename}:{last.lineno}"
    )
    return ConfigurationError(f"importing {name} failed at {where}: {type(error).__name__}: {error}")


def _advice(name: str) -> str:
    module = name.removesuffix(".py").strip("./").replace("/", ".")
    if module != name:
        return f": name the module, not the file ({module})"
    module, _, class_name = name.rpartition(".")
    if module and class_name[:1].isupper():
        return f": a class stands behind a colon ({module}:{class_name})"
    return f": looked in {Path.cwd()} and in the environment of {sys.executable}"
