"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

DRIVERS: Final = ("aio-pika", "aiormq", "redis", "hiredis", "msgpack", "pydantic")
#: An extra; what is not installed did not take part.
PEERS: Final = (
    "dramatiq",
    "pika",
    "celery",
    "kombu",
    "taskiq",
    "taskiq-aio-pika",
    "taskiq-redis",
    "faststream",
)


async def facts(redis_url: str, broker: dict[str, str]) -> dict[str, str]:
    """Return versions of everything that takes part, the store's durability and the machine."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        server = await redis.info("server")
        durability = {**await redis.config_get("appendonly"), **await redis.config_get("appendfsync")}
    return {
        "Python": platform.python_version(),
        **{name: version(name) for name in DRIVERS},
        **{name: found for name in PEERS if (found := _version(name))},
        **broker,
        "Redis": str(server["redis_version"]),
        "Redis durability": ", ".join(f"{name} {value}" for name, value in sorted(durability.items())),
        "queues": "quorum, durable; publishes persistent, mandatory, confirmed; acknowledged after the work",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load at the start": f"{load():.2f}",
    }


def load() -> float:
    """Return how many processes wanted to run, as an average of the last minute."""
    return os.getloadavg()[0]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
