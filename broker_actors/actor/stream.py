"""What calling a generator method through a ref returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from broker_actors.core.errors import ConfigurationError, Plain
from broker_actors.ports.calling import Values

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Stream(Protocol[R_co]):
    """The values an actor yields: iterate over all, or await the last.

    Nothing is sent before it is first used. `break` stops the generator where it runs, and so
    does everything else that leaves an `async for`; so do `aclose` and dropping the stream.
    """

    @property
    def call_id(self) -> str:
        """The name of the call: `system.resume(call_id, after=seq)` goes on reading, in any process."""
        ...

    @property
    def seq(self) -> int:
        """The number of the last value received, from 1; 0 before the first."""
        ...

    def __aiter__(self) -> AsyncIterator[R_co]:
        """Return an iterator over the values to come; leaving it stops the generator."""
        ...

    async def __anext__(self) -> R_co:
        """Return the next value."""
        ...

    def __await__(self) -> Generator[Any, None, R_co | None]:
        """Wait for the end and return the last value; None if there was none."""
        ...

    async def aclose(self) -> None:
        """Stop the generator where it runs. Idempotent."""
        ...


class ConvertedStream(Generic[R]):
    """Implements `Stream`: plain values, converted to what the method declares."""

    __slots__ = ("_convert", "_values")

    def __init__(self, values: Values, convert: Callable[[Plain], R]) -> None:
        self._values = values
        self._convert = convert

    @property
    def call_id(self) -> str:
        """The name of the call."""
        return self._values.call_id

    @property
    def seq(self) -> int:
        """The number of the last value received."""
        return self._values.seq

    def __aiter__(self) -> AsyncIterator[R]:
        """Return an iterator over the values to come."""
        return _Iteration(self, self._values)

    async def __anext__(self) -> R:
        """Return the next value; raises what `ports.calling.Values` raises."""
        return self._convert(await self._values.__anext__())

    def __await__(self) -> Generator[Any, None, R | None]:
        """Wait for the end and return the last value; None if there was none."""
        return self._last().__await__()

    async def aclose(self) -> None:
        """Stop the generator where it runs. Idempotent."""
        await self._values.aclose()

    async def _last(self) -> R | None:
        last: R | None = None
        async for value in self:
            last = value
        return last


class _Iteration(Generic[R]):
    """One `async for`. It is dropped when the loop is left, however that is."""

    __slots__ = ("_has_read", "_stream", "_values")

    def __init__(self, stream: ConvertedStream[R], values: Values) -> None:
        self._stream = stream
        self._values = values
        self._has_read = False

    def __aiter__(self) -> _Iteration[R]:
        return self

    async def __anext__(self) -> R:
        try:
            value = await self._stream.__anext__()
        except ConfigurationError:
            # Somebody else reads the stream, and goes on.
            self._has_read = False
            raise
        except BaseException:
            # Whatever it is leaves the loop, and its traceback would keep this from being dropped.
            self._values.abandon()
            raise
        self._has_read = True
        return value

    def __del__(self) -> None:
        if self._has_read:
            self._values.abandon()
