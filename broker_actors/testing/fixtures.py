"""A pytest plugin with the fixture `actors`.

    # conftest.py
    pytest_plugins = ["broker_actors.testing.fixtures"]

    # test_counter.py
    async def test_counting(actors):
        kit = await actors(Counter)
        assert await kit.ref(CounterRef, "c1").increment(2) == 2

It works with pytest-asyncio in both of its modes and, where that is not installed, with the
plugin of anyio on asyncio. Nothing else in this package needs pytest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

import pytest

from broker_actors.testing.factory import Actors


def _fixture(function: Callable[[], AsyncGenerator[Actors]]) -> object:
    try:
        import pytest_asyncio  # noqa: PLC0415 - only one of the two plugins needs to be there
    except ImportError:
        # The plugin of anyio takes any fixture that is an async generator, for tests that it runs.
        return pytest.fixture(function)
    return pytest_asyncio.fixture(function)


@_fixture
async def actors() -> AsyncGenerator[Actors]:
    """Run actor classes on a broker and a store of their own, until the test ends."""
    async with AsyncExitStack() as stack:
        yield Actors(stack)
