"""The real core and runtime in one process, over models of broker and store, under every fault we know.

`python -m tests.simulation --seed 17` replays one seed and prints its history.
"""
