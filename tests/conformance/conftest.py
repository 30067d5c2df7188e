"""Makes the fixtures of the conformance suites known to their tests."""

from tests.conformance.callers import answering
from tests.conformance.members import deployment
from tests.conformance.stores import open_store, store, world

__all__ = ["answering", "deployment", "open_store", "store", "world"]
