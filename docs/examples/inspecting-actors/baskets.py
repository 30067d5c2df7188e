"""Baskets that people fill."""

from broker_actors import actor, method


@actor(partitions=1)
class Basket:
    """What one customer wants to buy."""

    articles: dict[str, int]
    paid: bool = False

    def __init__(self) -> None:
        self.articles = {}

    @method
    def put(self, article: str, count: int = 1) -> int:
        self.articles[article] = self.articles.get(article, 0) + count
        return sum(self.articles.values())
