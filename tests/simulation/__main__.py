"""`python -m tests.simulation`: replay one seed, or run many on all cores."""

from __future__ import annotations

from tests.simulation.command import main

main()
