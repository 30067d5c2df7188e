"""The entry point of `broker-actors`.

It imports nothing that the extra `cli` brings until it can say what to install.
"""

from __future__ import annotations

import signal
import sys
from typing import Final

#: What the extra brings. Anything else that is missing is a bug, not a missing extra.
EXTRA: Final = frozenset({"click", "rich", "typer"})


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from broker_actors.cli.app import app  # noqa: PLC0415 - must be able to fail with advice
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        text = f"broker-actors needs {error.name}: pip install 'broker-actors[cli]'\n"
        sys.stderr.write(text)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        # Whoever is quick interrupts the imports.
        raise SystemExit(128 + signal.SIGINT) from None
    app(prog_name="broker-actors")
