from __future__ import annotations

import signal

import pytest
import typer

from broker_actors.cli.output import Code
from broker_actors.cli.running import code_of, in_one_line, run
from broker_actors.core.errors import (
    AskTimeoutError,
    BrokerActorsError,
    BrokerUnavailableError,
    BusinessError,
    InvalidArgumentsError,
    SystemFaultError,
    describe,
    revive,
)


def answered(error: BrokerActorsError) -> BrokerActorsError:
    """Return *error* as an actor's answer brings it."""
    return revive(describe(error))


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (BusinessError("out_of_stock"), "out_of_stock", Code.REFUSED),
        (BusinessError("out_of_stock", "none left"), "out_of_stock: none left", Code.REFUSED),
        (BusinessError("full", "is full", {"max": 3}), "full: is full {'max': 3}", Code.REFUSED),
        (SystemFaultError("ValueError: two\nlines"), "ValueError: two lines", Code.REFUSED),
        (answered(InvalidArgumentsError("bad", "no int")), "bad: no int", Code.REFUSED),
        (InvalidArgumentsError("bad", "cannot be sent"), "bad: cannot be sent", Code.PLATFORM),
        (AskTimeoutError("no answer"), "no answer", Code.PLATFORM),
        (BrokerUnavailableError(), "BrokerUnavailableError", Code.PLATFORM),
    ],
)
def test_an_error_is_one_line_and_a_code(error: BrokerActorsError, line: str, code: Code) -> None:
    assert (in_one_line(error), code_of(error)) == (line, code)


def test_whoever_interrupts_a_command_sees_no_traceback() -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        run(interrupted())
    assert caught.value.exit_code == 128 + signal.SIGINT


def test_a_bug_is_not_hidden() -> None:
    async def buggy() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(buggy())
