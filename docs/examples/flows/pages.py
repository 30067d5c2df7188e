"""Async functions, a limit, and one error that ends the rest."""

import asyncio
from typing import Any

from broker_actors.flow import Flow, ParallelBatchNode


class Fetch(ParallelBatchNode):
    running = 0
    most = 0

    def prep(self, shared: dict[str, Any]) -> list[str]:
        return shared["pages"]

    async def exec(self, prep_res: str) -> int:
        Fetch.running += 1
        Fetch.most = max(Fetch.most, Fetch.running)
        await asyncio.sleep(0.01)
        Fetch.running -= 1
        return len(prep_res)

    def exec_fallback(self, prep_res: str, exc: Exception) -> int:
        return 0

    def post(self, shared: dict[str, Any], prep_res: list[str], exec_res: list[int]) -> None:
        shared["lengths"] = exec_res


async def main() -> None:
    shared: dict[str, Any] = {"pages": ["a", "bb", "ccc", "dddd"]}
    await Flow(start=Fetch(max_retries=3, wait=0.5, concurrency=2)).run_async(shared)
    print(shared["lengths"], "at most", Fetch.most, "at once")


if __name__ == "__main__":
    asyncio.run(main())
