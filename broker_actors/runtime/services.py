"""What every turn of a worker shares."""

from __future__ import annotations

from dataclasses import dataclass

from broker_actors.dispatch import Dispatch
from broker_actors.ports.calling import Caller
from broker_actors.ports.clock import Clock
from broker_actors.ports.control import Control
from broker_actors.ports.observer import Observer
from broker_actors.ports.replies import Replies
from broker_actors.ports.store import Store
from broker_actors.ports.streams import Streams


@dataclass(frozen=True, slots=True)
class Services:
    """The ports a turn works with, and the caller behind asks inside turns."""

    dispatch: Dispatch
    store: Store
    replies: Replies
    clock: Clock
    observer: Observer
    caller: Caller
    streams: Streams
    control: Control
