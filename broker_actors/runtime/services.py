"""What every turn of a worker shares."""

from __future__ import annotations

from dataclasses import dataclass

from broker_actors.dispatch import Dispatch
from broker_actors.ports.calling import Caller
from broker_actors.ports.clock import Clock
from broker_actors.ports.control import Control
from broker_actors.ports.observer import Observer
from broker_actors.ports.places import Limiters
from broker_actors.ports.replies import Replies
from broker_actors.ports.store import Store
from broker_actors.ports.streams import Streams
from broker_actors.runtime.cancels import Cancels
from broker_actors.runtime.processes import Processes
from broker_actors.runtime.slowness import Slowness
from broker_actors.runtime.threads import Threads


@dataclass(frozen=True, slots=True)
class Offload:
    """Where methods run that must not hold up the event loop."""

    threads: Threads
    processes: Processes


@dataclass(frozen=True, slots=True)
class Services:
    """The ports a turn works with, the caller behind its asks, and where methods run off the loop."""

    dispatch: Dispatch
    store: Store
    replies: Replies
    clock: Clock
    observer: Observer
    caller: Caller
    streams: Streams
    control: Control
    offload: Offload
    cancels: Cancels
    slowness: Slowness
    limiters: Limiters
