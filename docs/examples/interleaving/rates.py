"""Exchange rates: looking one up takes long, and must not hold up the others."""

import asyncio

from broker_actors import Ref, actor, method, turn


@actor
class Rates:
    """Rates by currency, fetched when somebody asks for one that is not known."""

    known: dict[str, float]
    fetched: int = 0

    def __init__(self) -> None:
        self.known = {}

    @method
    def set(self, currency: str, rate: float) -> None:
        self.known[currency] = rate

    @method.options(interleave=True)
    async def rate(self, currency: str) -> float:
        if currency not in self.known:
            rate = await fetch(currency)  # nobody waits for this but its caller
            async with turn():  # from here on it is alone, on the newest state
                self.known.setdefault(currency, rate)
                self.fetched += 1
        return self.known[currency]

    @method.options(interleave=True)
    async def forget(self, currency: str) -> None:
        del self.known[currency]  # refused: this is not inside a section


async def fetch(currency: str) -> float:
    await asyncio.sleep(0.2)
    return {"EUR": 1.0, "CHF": 1.07}.get(currency, 0.5)


class RatesRef(Rates, Ref):
    """A typed handle."""
