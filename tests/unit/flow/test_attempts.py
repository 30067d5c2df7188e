"""Attempts at `exec`, what stands in for them, and how plain and async functions mix."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from broker_actors.flow import AsyncFlow, AsyncNode, Flow, Node

Shared = dict[str, Any]


class Flaky(Node):
    """Fails so often; notes which attempt it was."""

    def __init__(self, failures: int, max_retries: int = 1, wait: float = 0) -> None:
        super().__init__(max_retries, wait)
        self.failures = failures
        self.attempts: list[int] = []

    def exec(self, prep_res: object) -> str:
        self.attempts.append(self.cur_retry)
        if self.cur_retry < self.failures:
            raise ValueError(f"attempt {self.cur_retry}")
        return "done"

    def post(self, shared: Shared, prep_res: object, exec_res: object) -> object:
        return exec_res


class Substituted(Flaky):
    def exec_fallback(self, prep_res: object, exc: Exception) -> str:
        return f"instead of {exc} at {self.cur_retry}"


class FlakyAsync(AsyncNode):
    def __init__(self, failures: int, max_retries: int = 1) -> None:
        super().__init__(max_retries)
        self.failures = failures

    async def exec_async(self, prep_res: object) -> str:
        if self.cur_retry < self.failures:
            raise ValueError(f"attempt {self.cur_retry}")
        return "done"

    async def exec_fallback_async(self, prep_res: object, exc: Exception) -> str:
        return f"instead of {exc}"

    async def post_async(self, shared: Shared, prep_res: object, exec_res: object) -> object:
        return exec_res

    def exec(self, prep_res: object) -> None:
        raise AssertionError("never called")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, without sleeping."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_only_so_many_attempts_are_made(slept: list[float]) -> None:
    node = Flaky(failures=2, max_retries=3)
    assert node.run({}) == "done"
    assert node.attempts == [0, 1, 2]
    assert slept == []


def test_one_attempt_is_all_there_is_by_default() -> None:
    node = Flaky(failures=1)
    with pytest.raises(ValueError, match="attempt 0"):
        node.run({})
    assert node.attempts == [0]


def test_no_attempt_is_none_and_no_error() -> None:
    node = Flaky(failures=0, max_retries=0)
    assert node.run({}) is None
    assert node.attempts == []


def test_there_is_a_wait_between_attempts_and_none_after_the_last(slept: list[float]) -> None:
    assert Substituted(failures=9, max_retries=3, wait=0.2).run({}) == "instead of attempt 2 at 2"
    assert slept == [0.2, 0.2]


def test_the_fallback_is_not_called_when_an_attempt_succeeds() -> None:
    assert Substituted(failures=2, max_retries=3).run({}) == "done"


def test_prep_and_post_run_once_and_are_not_tried_again() -> None:
    class Broken(Node):
        def prep(self, shared: Shared) -> None:
            shared["n"] += 1
            raise ValueError("prep")

    shared = {"n": 0}
    with pytest.raises(ValueError, match="prep"):
        Broken(max_retries=3).run(shared)
    assert shared == {"n": 1}


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt])
def test_what_stops_a_program_is_neither_tried_again_nor_replaced(error: type[BaseException]) -> None:
    class Stopped(Substituted):
        def exec(self, prep_res: object) -> str:
            self.attempts.append(self.cur_retry)
            raise error

    node = Stopped(failures=0, max_retries=3)
    with pytest.raises(error):
        node.run({})
    assert node.attempts == [0]


async def test_the_async_functions_of_an_async_node_are_tried_again() -> None:
    assert await FlakyAsync(failures=2, max_retries=3).run_async({}) == "done"
    assert await FlakyAsync(failures=2, max_retries=2).run_async({}) == "instead of attempt 1"


def test_an_async_node_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match=r"^Use run_async\.$"):
        FlakyAsync(0).run({})
    with pytest.raises(RuntimeError, match=r"^Use run_async\.$"):
        Flow(FlakyAsync(0)).run({})


async def test_one_node_takes_plain_and_async_functions() -> None:
    class Mixed(Node):
        def prep(self, shared: Shared) -> object:
            return shared["n"]

        async def exec(self, prep_res: int) -> int:
            await asyncio.sleep(0)
            if self.cur_retry == 0:
                raise ValueError
            return prep_res + self.cur_retry

        async def post(self, shared: Shared, prep_res: int, exec_res: int) -> str:
            shared["n"] = exec_res
            return "done"

    shared = {"n": 1}
    assert await Flow(Mixed(max_retries=2)).run_async(shared) == "done"
    assert shared == {"n": 2}
    with pytest.raises(RuntimeError, match="run_async"):
        Flow(Mixed(max_retries=2)).run(shared)


async def test_what_never_waits_can_run_inside_of_a_running_loop() -> None:
    assert Flow(Flaky(0)).run({}) == "done"


def test_an_async_flow_of_plain_nodes_runs_without_a_loop() -> None:
    class Plain(AsyncFlow):
        def prep(self, shared: Shared) -> None:
            shared["prepared"] = True

    shared: Shared = {}
    assert Plain(Flaky(0)).run(shared) == "done"
    assert shared == {"prepared": True}


async def test_an_async_flow_runs_plain_and_async_nodes() -> None:
    plain = Flaky(0)
    plain - "done" >> FlakyAsync(0)
    assert await AsyncFlow(plain).run_async({}) == "done"


async def test_an_attempt_that_takes_too_long_has_failed() -> None:
    class Stuck(Node):
        timeout: float | None = 0.001

        async def exec(self, prep_res: object) -> None:
            await asyncio.Event().wait()

        def exec_fallback(self, prep_res: object, exc: Exception) -> str:
            return f"{type(exc).__name__} at {self.cur_retry}"

        def post(self, shared: Shared, prep_res: object, exec_res: object) -> object:
            return exec_res

    assert await Stuck(max_retries=2).run_async({}) == "TimeoutError at 1"


async def test_the_counter_of_an_attempt_survives_a_flow_that_runs_inside_of_it() -> None:
    class Outer(Flaky):
        async def exec(self, prep_res: object) -> str:  # type: ignore[override]  # plain there
            before = self.cur_retry
            await Flow(Flaky(failures=2, max_retries=3)).run_async({})
            assert self.cur_retry == before
            return super().exec(prep_res)

    node = Outer(failures=1, max_retries=2)
    assert await node.run_async({}) == "done"
    assert node.attempts == [0, 1]
