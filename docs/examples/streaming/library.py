"""An actor that yields: lines of a book, and a count that goes on after a crash."""

from collections.abc import AsyncIterator, Iterator

from broker_actors import Ref, actor, method, turn


@actor
class Library:
    lent: int = 0

    @method
    async def lines(self, book: str, count: int) -> AsyncIterator[str]:
        for n in range(1, count + 1):
            yield f"{book}, line {n}"
        async with turn():
            self.lent += 1

    @method
    def shelf(self) -> Iterator[str]:
        yield from ("Emma", "Persuasion")

    @method.options(resumable=True)
    async def ticks(self, count: int) -> AsyncIterator[int]:
        for n in range(turn.current().resume_from + 1, count + 1):
            yield n

    @method
    async def torn(self) -> AsyncIterator[str]:
        yield "page 1"
        yield "page 2"
        raise ValueError("the rest is missing")

    @method
    def count(self) -> int:
        return self.lent


class LibraryRef(Library, Ref):
    """A typed handle."""
