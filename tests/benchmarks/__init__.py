"""Measures the platform against the drivers it stands on: `python -m tests.benchmarks`.

Every variant runs on the same private servers, the same quorum queues and the same
messages, under the same durability, in processes of its own. Variants take turns, so that
what changes on the machine meanwhile changes for all of them. docs/explanation/benchmarks.md
says what is measured and why.
"""
