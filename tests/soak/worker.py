"""What the workers of the soak are started with: `broker-actors worker tests.soak.worker`."""

from __future__ import annotations

import os
from pathlib import Path

from tests.soak import witness
from tests.soak.actors import Account
from tests.soak.mutants import MUTANT, become

__all__ = ["Account"]

if witness.FOLDER in os.environ:
    witness.install(Path(os.environ[witness.FOLDER]))
become(os.environ.get(MUTANT, ""))
