"""Whether a server can be reached, and how far away it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from broker_actors.core.finding import Finding, Severity

#: Deadlines travel as wall-clock times: with this much difference short ones expire on arrival, or late.
CLOCK_SECONDS_MAX: Final = 1.0
#: Every turn waits for some round trips; beyond this they are what it mostly does.
LATENCY_SECONDS_MAX: Final = 0.020


class Obstacle(Enum):
    """Why a broker does not let us in."""

    UNREACHABLE = auto()
    TLS = auto()
    LOGIN = auto()
    VHOST = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker is asked, without credentials.

    Attributes:
        server: `host:port`.
        user: as whom.
        vhost: in which virtual host.

    """

    server: str
    user: str
    vhost: str


@dataclass(frozen=True, slots=True)
class NoBroker:
    """A broker that could not be talked to, and in whose words."""

    place: Place
    obstacle: Obstacle
    detail: str


def judge_no_broker(facts: NoBroker) -> Finding:
    """Return the finding for a broker that does not let us in."""
    place, detail = facts.place, facts.detail
    text = f"the broker at {place.server} cannot be examined: {detail}"
    fix = "look into the broker's log at this time"
    match facts.obstacle:
        case Obstacle.UNREACHABLE:
            text = f"no broker answers at {place.server}: {detail}"
            fix = "check host and port in the broker's URL, that RabbitMQ runs there, and firewalls between"
        case Obstacle.TLS:
            text = f"no secure connection to {place.server}: {detail}"
            fix = (
                "amqps:// is for the TLS port (5671 by default) and amqp:// for the other; check certificates"
            )
        case Obstacle.LOGIN:
            text = f"the broker at {place.server} refuses the login of user {place.user!r}: {detail}"
            fix = (
                "check user and password in the broker's URL (rabbitmqctl authenticate_user USER PASSWORD); "
                "the user guest may only log in from the broker's own host"
            )
        case Obstacle.VHOST:
            text = f"user {place.user!r} cannot use virtual host {place.vhost!r} of {place.server}: {detail}"
            fix = (
                "check the path of the broker's URL against `rabbitmqctl list_vhosts`, and give the user "
                "access with `rabbitmqctl set_permissions`"
            )
        case Obstacle.OTHER:
            pass
    return Finding("broker.reach", Severity.ERROR, text, fix)


def judge_latency(server: str, seconds: float) -> Finding:
    """Return a note about how long a round trip to *server* takes."""
    text = f"a round trip to the {server} takes {seconds * 1000:.1f} ms"
    fix = ""
    if seconds > LATENCY_SECONDS_MAX:
        text += ": every turn waits for some of them"
        fix = "run workers close to their servers"
    return Finding(f"{server}.latency", Severity.NOTE, text, fix)


def judge_clock(server: str, ahead_seconds: float, unsure_seconds: float) -> Iterator[Finding]:
    """Yield a finding about a server's clock beside that of this host.

    Args:
        server: `broker` or `store`.
        ahead_seconds: by how much it is ahead; negative if it is behind.
        unsure_seconds: how exactly that is known.

    """
    check = f"{server}.clock"
    off_seconds = abs(ahead_seconds)
    if off_seconds > CLOCK_SECONDS_MAX + unsure_seconds:
        way = "ahead of" if ahead_seconds > 0 else "behind"
        text = (
            f"the clock of the {server} is {off_seconds:.1f} s {way} that of this host: "
            "deadlines are wall-clock times, and expire early or late"
        )
        yield Finding(check, Severity.WARNING, text, "synchronise the clocks of all hosts (chrony, ntpd)")
    else:
        yield Finding(check, Severity.OK, f"the clock of the {server} agrees with that of this host")
