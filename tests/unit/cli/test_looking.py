"""Of the workers that consume a mailbox the one is shown that serves it, as far as anybody can tell."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from broker_actors.bootstrap.backend import Embedded
from broker_actors.cli.looking import look, places
from broker_actors.cli.serving import in_rank
from broker_actors.core.member import Held, Member, Report
from broker_actors.core.sharing import rankings
from broker_actors.core.topology import Layout
from broker_actors.observability.logs import LoggingObserver

LAYOUT = Layout("Counter", partitions=8)
MAILBOXES = LAYOUT.mailboxes()
TWO = [Member(name, frozenset({"Counter"}), frozenset(MAILBOXES), place=f"{name}:7") for name in "ab"]
RANKED = rankings(MAILBOXES, ["a", "b"])


async def shown(*reports: Report) -> dict[str, tuple[str, int]]:
    backend = Embedded().backend(LoggingObserver())
    await backend.store.layout(LAYOUT)
    for member, report in zip(TWO, reports, strict=True):
        await backend.members.beat(member, report)
    seen = await look(backend, await places(backend, ["Counter"], prefetch=5))
    await backend.close()
    return {one.place.queue: (one.worker, one.held) for one in seen if one.place.queue in MAILBOXES}


async def test_where_nobody_has_anything_in_hand_the_owner_is_shown() -> None:
    owners = {mailbox: (f"{ranked[0]}:7", 0) for mailbox, ranked in RANKED.items()}
    assert await shown(Report(), Report()) == owners


async def test_who_has_something_in_hand_is_shown_though_another_should_have_it() -> None:
    mailbox = next(one for one in MAILBOXES if RANKED[one][0] == "a")
    report = Report(held=MappingProxyType({mailbox: Held(3)}))
    assert (await shown(Report(), report))[mailbox] == ("b:7", 3)


def test_whoever_leaves_ranks_after_those_that_stay() -> None:
    leaving = replace(TWO[0], name="c", leaving=True)
    other = Member("d", frozenset({"Order"}))
    assert in_rank(MAILBOXES, "Counter", [other, leaving, *TWO]) == {
        mailbox: [*ranked, "c", "d"] for mailbox, ranked in RANKED.items()
    }
