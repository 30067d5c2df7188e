"""The commands `debug ...`: looking into a worker that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from broker_actors.cli.output import OUT, printable, stop
from broker_actors.core.errors import ConfigurationError, PlatformError
from broker_actors.worker import listening
from broker_actors.worker.listening import Place

app = typer.Typer(name="debug", no_args_is_help=True, help="Look into a worker that runs.")

#: A parent asks its processes, some of which may not answer.
ANSWER_SECONDS_MAX: Final = 30.0


@app.callback()
def options() -> None:
    """Look into a worker that runs."""


@app.command()
def dump(
    pid: Annotated[
        int | None,
        typer.Argument(
            metavar="[PID]", help="Which worker on this machine; not needed if it is the only one."
        ),
    ] = None,
    *,
    health: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The health endpoint of a worker elsewhere, as http://host:8080."),
    ] = None,
) -> None:
    """Print what a worker does now: each turn, its age, its stack, and what waits behind it.

    Also while a method blocks it. A worker writes the same to its own stderr at SIGUSR1.
    """
    try:
        place = _place(pid, health)
        _status, text = listening.ask(place, "/dump", ANSWER_SECONDS_MAX)
    except (ConfigurationError, PlatformError) as error:
        raise stop(str(error)) from None
    OUT.out(printable(text.rstrip(), keep="\n"), highlight=False)


def _place(pid: int | None, health: str | None) -> Place:
    if health is not None:
        return listening.of_url(health)
    try:
        folder = listening.private_place("")
    except OSError as error:
        raise ConfigurationError(f"workers of this user cannot be found: {error}") from error
    if pid is not None:
        place = folder / f"{pid}.sock"
        if not place.exists():
            text = f"process {pid} is no worker of this user{_others(folder)}; elsewhere: --health URL"
            raise ConfigurationError(text)
        return place
    places = _living(folder)
    if len(places) == 1:
        return places[0]
    if places:
        raise ConfigurationError(f"which one? PID is one of {_pids(places)}")
    raise ConfigurationError("no worker of this user runs on this machine; elsewhere: --health URL")


def _living(folder: Path) -> list[Path]:
    """Return the sockets of workers that run; tidy up after those that were killed."""
    found = {place: _answers(place) for place in sorted(folder.glob("*.sock"))}
    for place, answers in found.items():
        if not answers:
            place.unlink(missing_ok=True)
    return [place for place, answers in found.items() if answers]


def _answers(place: Path) -> bool:
    try:
        listening.ask(place, "/alive", ANSWER_SECONDS_MAX)
    except PlatformError as error:
        return not isinstance(error.__cause__, ConnectionRefusedError)
    return True


def _others(folder: Path) -> str:
    places = _living(folder)
    return f" ({_pids(places)} are)" if places else ""


def _pids(places: list[Path]) -> str:
    return ", ".join(place.stem for place in places)
