"""Running a program that checks a file."""

from __future__ import annotations

import subprocess

_SECONDS_MAX = 60


def output_of(*command: str) -> str:
    """Return what *command* prints, if it succeeds.

    Raises:
        AssertionError: it failed; the message is what it printed.

    """
    done = subprocess.run(  # noqa: S603 - a test's own command
        command, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
