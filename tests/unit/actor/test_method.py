from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, ParamSpec, TypeVar, cast

import pytest

from broker_actors.actor.method import AnyMethod, Decorate, Method, RunIn, method
from broker_actors.actor.signature import Kind
from broker_actors.actor.spec import actor, spec_of
from broker_actors.core.errors import ConfigurationError
from broker_actors.core.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")


def hiding_async(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return function(*args, **kwargs)

    return wrapper


@actor
class Sampler:
    """One method of every kind."""

    @method
    def now(self, n: int = 1) -> int:
        """Return n."""
        return n

    @method
    async def later(self, n: int) -> int:
        return n

    @method
    @hiding_async
    async def wrapped(self) -> int:
        return 3

    @method
    async def numbers(self, upto: int) -> AsyncIterator[int]:
        for n in range(upto):
            yield n

    @method
    def letters(self) -> Iterator[str]:
        yield "a"

    @method
    def promised(self) -> AsyncIterator[str]:
        raise NotImplementedError

    @method.options(interleave=True, run_in="thread", retry=Retry(attempts=2))
    def aside(self) -> None: ...


def of(name: str) -> AnyMethod:
    return spec_of(Sampler).methods[name]


def test_read_from_the_class_a_method_is_itself() -> None:
    assert isinstance(Sampler.now, Method)
    assert Sampler.now is of("now")
    assert Sampler.now.name == "now"
    assert Sampler.now.__doc__ == "Return n."


async def test_read_from_an_instance_a_method_is_the_local_function() -> None:
    sampler = Sampler()
    assert sampler.now() == 1
    assert sampler.now(n=4) == 4
    assert await sampler.later(5) == 5
    assert [n async for n in sampler.numbers(2)] == [0, 1]


def test_an_override_reaches_the_method_of_its_base() -> None:
    class Doubling(Sampler):
        @method
        def now(self, n: int = 1) -> int:
            return 2 * super().now(n)

    assert actor(Doubling)().now(3) == 6


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("now", Kind.SYNC),
        ("later", Kind.ASYNC),
        ("wrapped", Kind.ASYNC),
        ("numbers", Kind.STREAM),
        ("letters", Kind.STREAM),
        ("promised", Kind.STREAM),
        ("aside", Kind.SYNC),
    ],
)
def test_a_method_knows_how_it_runs(name: str, kind: Kind) -> None:
    assert of(name).kind == kind


def test_options_are_kept_and_default_to_a_plain_turn() -> None:
    plain, aside = of("now"), of("aside")
    assert (plain.interleave, plain.run_in, plain.retry) == (False, "loop", None)
    assert (aside.interleave, aside.run_in, aside.retry) == (True, "thread", Retry(attempts=2))


def test_a_local_call_of_a_method_is_not_slowed_by_validation() -> None:
    assert inspect.ismethod(Sampler().now)
    assert cast("Any", Sampler().now)("text") == "text"


@pytest.mark.parametrize("run_in", ["thread", "process"])
def test_async_code_cannot_run_outside_of_the_loop(run_in: RunIn) -> None:
    async def fetch(self: object) -> int:
        raise NotImplementedError

    with pytest.raises(ConfigurationError, match=rf"fetch.*run_in='{run_in}'"):
        method.options(run_in=run_in)(fetch)


def test_an_unknown_place_to_run_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="run_in='fiber' must be one of loop, thread, process"):
        method.options(run_in=cast("Any", "fiber"))


@pytest.mark.parametrize("what", [staticmethod(len), 5, property(len)])
def test_only_functions_become_messages(what: object) -> None:
    with pytest.raises(ConfigurationError, match="decorates functions"):
        cast("Any", Decorate())(what)


def test_a_method_of_an_undecorated_class_says_what_is_missing() -> None:
    class Plain:
        @method
        def work(self) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Plain\.work .*@actor"):
        _ = Plain.work.arguments


def test_an_async_contract_body_that_promises_an_iterator_is_refused() -> None:
    class Promising:
        @method
        async def words(self) -> AsyncIterator[str]:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match=r"Promising\.words .*never yields"):
        actor(Promising)
