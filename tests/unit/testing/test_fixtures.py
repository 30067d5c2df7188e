"""The fixture `actors` in a project of a user's own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

COUNTER = """
from broker_actors import Ref, actor, method

@actor
class Counter:
    value: int = 0

    @method
    def increment(self, n: int = 1) -> int:
        self.value += n
        return self.value

class CounterRef(Counter, Ref):
    pass
"""
TESTS = """
import pytest
from broker_actors.testing import Actors
from counter import Counter, CounterRef

{mark}

async def test_in_one_line(actors: Actors) -> None:
    assert await (await actors(Counter)).ref(CounterRef, "c1").increment(2) == 2

async def test_nothing_is_left_of_another_test(actors: Actors) -> None:
    kit, other = await actors(Counter), await actors(Counter)
    for one in (kit, other):
        assert await one.ref(CounterRef, "c1").increment(2) == 2
    await kit.ref(CounterRef, "c1").increment.tell(1)
"""
INI = """
[pytest]
asyncio_mode = {mode}
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.mark.parametrize(("mode", "mark"), [("auto", ""), ("strict", "pytestmark = pytest.mark.asyncio")])
def test_it_works_in_both_modes_of_pytest_asyncio(pytester: pytest.Pytester, mode: str, mark: str) -> None:
    pytester.makeini(INI.format(mode=mode))
    pytester.makeconftest('pytest_plugins = ["broker_actors.testing.fixtures"]')
    pytester.makepyfile(counter=COUNTER, test_counter=TESTS.format(mark=mark))
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
