"""The offline checker: what a run of the platform promised its callers, held against what came of it.

What belongs here: pure functions over a history, and the tests that prove that they see
what they are for. Where a history comes from is not their concern: `tests/soak` writes
them from real processes, `simulated` takes them from the simulation.
"""
