"""What calling a generator method through a ref returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, NoReturn, Protocol, TypeVar

from broker_actors.core.errors import ConfigurationError

R_co = TypeVar("R_co", covariant=True)


class Stream(Protocol[R_co]):
    """The values an actor yields: iterate over all, or await the last."""

    def __aiter__(self) -> AsyncIterator[R_co]:
        """Return the stream itself."""
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


class UnavailableStream:
    """A stream that says, when it is first used, that streams cannot be called yet."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __aiter__(self) -> NoReturn:
        """Refuse to iterate."""
        raise self._refusal()

    async def __anext__(self) -> NoReturn:
        """Refuse to give a value."""
        raise self._refusal()

    def __await__(self) -> Generator[None, None, NoReturn]:
        """Refuse to wait."""
        raise self._refusal()

    async def aclose(self) -> None:
        """Do nothing: there is no generator to stop."""

    def _refusal(self) -> ConfigurationError:
        text = f"{self._where}: streams are not available yet; have the method return a list for now"
        return ConfigurationError(text)
