"""A worker works out anew who owns what when that may have changed, and only then."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

import pytest

from broker_actors.bootstrap.backend import Embedded
from broker_actors.core import topology
from broker_actors.core.member import Member, Report
from broker_actors.core.sharing import rankings
from broker_actors.core.topology import Layout
from broker_actors.observability.logs import LoggingObserver
from broker_actors.runtime import sharing
from broker_actors.runtime.mailboxes import Mailboxes, Tenant
from broker_actors.runtime.sharing import Sharing

LAYOUT = Layout("Counter", partitions=8)
MAILBOXES = LAYOUT.mailboxes()
TYPES = frozenset({"Counter"})


async def test_who_owns_what_is_worked_out_when_somebody_comes_leaves_or_goes_and_at_no_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[str], list[str]]] = []

    def counted(mailboxes: Iterable[str], names: Collection[str]) -> dict[str, list[str]]:
        asked.append((list(mailboxes), sorted(names)))
        return rankings(asked[-1][0], names)

    monkeypatch.setattr(sharing, "rankings", counted)
    backend = Embedded().backend(LoggingObserver())
    await backend.transport.declare(topology.common())
    await backend.transport.declare(topology.of(LAYOUT))
    mailboxes = Mailboxes(backend.transport, backend.clock, backend.observer)
    worker = Sharing(Member("a", TYPES), backend.members, mailboxes, backend.clock)
    worker.share(MAILBOXES, "Counter", cast("Tenant", None))

    async def beats(*others: Member) -> list[list[str]]:
        """Return who was thought of when anything was worked out."""
        for other in others:
            await backend.members.beat(other, Report())
        await worker.beat(Report(), backend.observer)
        names = [of for together, of in asked if together == MAILBOXES]
        assert len(names) == len(asked), "all mailboxes of the type at once"
        asked.clear()
        return names

    assert await beats() == [["a"]]
    assert await beats(Member("b", TYPES)) == [["a", "b"]]
    assert sum(map(worker.is_owner, MAILBOXES)) == len(MAILBOXES) / 2
    for count in range(len(MAILBOXES)):
        assert await beats(Member("b", TYPES, frozenset(MAILBOXES[:count]), health="so so")) == []
    assert await beats(Member("b", TYPES, leaving=True)) == [["a"]]
    await backend.members.leave("b")
    assert await beats() == []
    assert await beats(Member("c", frozenset({"Order"})), Member("d", TYPES)) == [["a", "d"]]
    await backend.members.leave("d")
    assert await beats() == [["a"]]
    assert all(map(worker.is_owner, MAILBOXES))
    await mailboxes.close()
    await backend.close()
