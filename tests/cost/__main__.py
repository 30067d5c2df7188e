"""`python -m tests.cost`: count anew, show the change, and keep the numbers. Say why in the commit."""

from __future__ import annotations

import asyncio

from tests.cost import kept
from tests.cost.measures import embedded, on_servers
from tests.servers import RabbitServer, RedisServer


def main() -> None:
    """Count and write."""
    with RabbitServer(in_memory=True) as rabbit, RedisServer(in_memory=True) as redis:
        found = {
            "embedded": asyncio.run(embedded()),
            "on servers": asyncio.run(on_servers(rabbit.url, redis.url)),
        }
    before = kept.read() if kept.FILE.exists() else {}
    for where, counts in found.items():
        for name, count in counts.items():
            print(f"{where}, {name:40} {before.get(where, {}).get(name, 0):8.2f} -> {count:8.2f}")
    kept.write(found)


if __name__ == "__main__":
    main()
