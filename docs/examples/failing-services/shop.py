"""A shop whose bank is down, and is called through a breaker, with retries."""

import asyncio

from broker_actors import BusinessError, Retry
from broker_actors.patterns import CircuitBreaker, CircuitOpenError, Retrying


class Bank:
    """A service that is down for its first calls."""

    def __init__(self, down: int) -> None:
        self.down = down
        self.calls = 0

    async def charge(self, cents: int) -> str:
        self.calls += 1
        if self.calls <= self.down:
            raise ConnectionError("the bank does not answer")
        if cents > 10_000:
            raise BusinessError("declined", "the card was declined")
        return f"charged {cents}"


async def main() -> None:
    bank = Bank(down=2)
    patiently = Retrying(Retry(attempts=5, min_backoff=0.01, max_backoff=0.05))
    print(await patiently.call(bank.charge, 500), "at attempt", bank.calls)
    try:
        await patiently.call(bank.charge, 20_000)
    except BusinessError as error:
        print(error, "and is not asked again:", bank.calls)

    bank = Bank(down=3)
    breaker = CircuitBreaker("bank", failures=3, reset=0.1)
    for _ in range(5):
        try:
            await breaker.call(bank.charge, 500)
        except CircuitOpenError:
            print("not even tried")
        except ConnectionError as error:
            print(error)
    await asyncio.sleep(0.1)
    print(await breaker.call(bank.charge, 500), "and it is", breaker.state)


if __name__ == "__main__":
    asyncio.run(main())
