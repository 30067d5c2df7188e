"""Which releases of the servers have which known problems.

One table, from the release notes and advisories; a release that is not in it has none we know.
Invariant: a range ends before the first release that is free of the problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from broker_actors.core.finding import Finding, Severity

Version: TypeAlias = tuple[int, int, int]

_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
#: Distributions fix old releases without renumbering them, so a version alone proves nothing.
_BACKPORTS: Final = "; a distribution may have fixed it under this version"


@dataclass(frozen=True, slots=True)
class _Problem:
    ranges: Sequence[tuple[Version, Version]]
    severity: Severity
    text: str
    fix: str

    def affects(self, version: Version) -> bool:
        return any(first <= version < fixed for first, fixed in self.ranges)


_RABBITMQ: Final = (
    _Problem(
        [((0, 0, 0), (3, 10, 0))],
        Severity.ERROR,
        "it cannot dead-letter at least once from quorum queues, on which delays and retries rest",
        "upgrade to RabbitMQ 3.10 or newer",
    ),
    _Problem(
        [((3, 10, 0), (3, 11, 23)), ((3, 12, 0), (3, 12, 5))],
        Severity.NOTE,
        "consumers that use a tag again may be sent nothing (rabbitmq-server 9164); this platform never does",
        f"upgrade if other clients share this broker{_BACKPORTS}",
    ),
    _Problem(
        [((4, 0, 3), (4, 0, 5))],
        Severity.WARNING,
        "quorum queues may stay without a leader or with followers that do not catch up",
        "upgrade to RabbitMQ 4.0.5 or newer",
    ),
    _Problem(
        [((0, 0, 0), (4, 1, 5))],
        Severity.NOTE,
        "in a cluster, publishes during a network partition may never be confirmed (rabbitmq-server 14589); "
        "they are sent again when their deadline allows",
        f"for a cluster, upgrade to RabbitMQ 4.1.5 or newer{_BACKPORTS}",
    ),
    _Problem(
        [((4, 3, 0), (4, 3, 3))],
        Severity.ERROR,
        "leaders of quorum queues may confirm what a majority does not hold (ra 637): "
        "confirmed messages can be lost",
        "upgrade to RabbitMQ 4.3.5 or newer",
    ),
    _Problem(
        [((4, 3, 4), (4, 3, 5))],
        Severity.WARNING,
        "clusters that came from 3.13 by way of 4.2 stop taking snapshots, and their disks fill",
        "upgrade to RabbitMQ 4.3.5 or newer",
    ),
    _Problem(
        [((0, 0, 0), (4, 3, 5))],
        Severity.NOTE,
        "it lacks fixes of security advisories published until August 2026",
        f"4.3.5 is the first open-source release that has them all{_BACKPORTS}",
    ),
)
_SCRIPT_ESCAPE: Final = "whoever may run scripts can break out of them (CVE-2025-49844)"
_REDIS: Final = (
    _Problem(
        [((0, 0, 0), (7, 0, 0))],
        Severity.ERROR,
        "it does not know scripts that declare their flags",
        "upgrade to Redis 7.0, Valkey 7.2 or newer",
    ),
    _Problem(
        [
            ((0, 0, 0), (7, 2, 11)),
            ((7, 4, 0), (7, 4, 6)),
            ((8, 0, 0), (8, 0, 4)),
            ((8, 2, 0), (8, 2, 2)),
        ],
        Severity.NOTE,
        _SCRIPT_ESCAPE,
        f"upgrade to Redis 7.2.11, 7.4.6, 8.0.4, 8.2.2 or newer{_BACKPORTS}",
    ),
)
_VALKEY: Final = (
    _Problem(
        [((0, 0, 0), (7, 2, 11)), ((8, 0, 0), (8, 0, 6)), ((8, 1, 0), (8, 1, 4))],
        Severity.NOTE,
        _SCRIPT_ESCAPE,
        f"upgrade to Valkey 7.2.11, 8.0.6, 8.1.4 or newer{_BACKPORTS}",
    ),
)
#: By the name a server gives itself, in lower case.
_PROBLEMS: Final = {"rabbitmq": _RABBITMQ, "redis": _REDIS, "valkey": _VALKEY}


def parse(version: str) -> Version | None:
    """Return *version* as three numbers; None if it does not begin with any."""
    found = _NUMBERS.match(version)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def judge_release(check: str, product: str, version: str) -> Iterator[Finding]:
    """Yield what is known about a release of a server.

    Args:
        check: the name of the check.
        product: how the server calls itself.
        version: which release it says it is.

    """
    known, numbers = _PROBLEMS.get(product.lower()), parse(version)
    if known is None or numbers is None:
        text = f"this is {product or 'a server without a name'} {version}, which nothing is known about"
        yield Finding(
            check, Severity.WARNING, text, "run the platform's own tests on it before you rely on it"
        )
        return
    found = [problem for problem in known if problem.affects(numbers)]
    for problem in found:
        yield Finding(check, problem.severity, f"{product} {version}: {problem.text}", problem.fix)
    if not found:
        yield Finding(check, Severity.OK, f"{product} {version} has no known problem")
