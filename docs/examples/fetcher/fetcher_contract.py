"""What others need to know of the fetcher. It needs no HTTP library."""

from dataclasses import dataclass

from broker_actors import Ref, method


@dataclass(frozen=True)
class Fetched:
    """A page, as far as we need it."""

    url: str
    text: str


class FetcherContract(Ref, actor_type="Fetcher"):
    """Pages."""

    @method
    async def fetch(self, url: str, max_age: float = 60.0) -> Fetched:
        raise NotImplementedError
