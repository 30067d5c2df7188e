"""What a measuring process is told to do, and the messages that all variants share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgpack  # type: ignore[import-untyped]

from broker_actors.core.envelope import MSGPACK, VERSION
from broker_actors.core.topology import Layout

#: The method that every message calls, and that every raw consumer imitates.
METHOD: Final = "add"


@dataclass(frozen=True, slots=True)
class Job:
    """One process's part of one measurement; travels as JSON.

    Attributes:
        amqp_url: the broker.
        redis_url: the store.
        actor_type: whose mailboxes are published to or consumed.
        partitions: how many mailboxes the type has.
        actors: how many actors the messages are spread over.
        messages: how many are measured.
        warm_up: how many are sent before the clock starts.
        in_flight: how many publishes or asks are under way at a time.
        prefetch: deliveries a consumer holds, per queue.
        sender: the sender incarnation; new for each measurement, so that nothing is a duplicate.
        prefix: what the ids of the actors begin with.
        beforehand: how many messages of a publisher's warm-up are drained beside the measured ones.
        chunks: of a stream.
        part: which of how many processes this is, from 0, where they cannot find out themselves.
        profile: the file to write a profile of the measured section to; empty for none.

    """

    amqp_url: str
    redis_url: str
    actor_type: str
    partitions: int
    actors: int
    messages: int
    warm_up: int
    in_flight: int
    prefetch: int
    sender: str
    prefix: str = "a"
    beforehand: int = 0
    chunks: int = 0
    part: tuple[int, int] = (0, 1)
    profile: str = ""

    @property
    def layout(self) -> Layout:
        """The layout of the type."""
        return Layout(self.actor_type, partitions=self.partitions)

    @property
    def mailboxes(self) -> list[str]:
        """The queues."""
        return self.layout.mailboxes()

    @property
    def peer_queue(self) -> str:
        """The queue of another system; new for each measurement."""
        return f"peer.{self.sender}"

    @property
    def actor_ids(self) -> list[str]:
        """The actors that message 0, 1, 2, ... go to, in turn."""
        return [f"{self.prefix}{number}" for number in range(self.actors)]


class Messages:
    """The messages of a job as a program without the platform would write them.

    They are what the platform sends for `ref.add.tell(n)`: the same headers, properties and
    body, so that raw consumers and the platform's worker can read the same queues.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._ids = job.actor_ids
        self._keys = [job.layout.key_of(actor_id) for actor_id in self._ids]
        #: Properties besides the headers.
        self.content_type: Final = MSGPACK
        self.type: Final = METHOD

    def key(self, n: int) -> str:
        """Return the routing key of message *n*."""
        return self._keys[n % len(self._keys)]

    def headers(self, n: int) -> dict[str, str | int]:
        """Return the headers of message *n*, six as in a tell of the platform."""
        number = n // len(self._ids) + 1
        return {
            "ba-version": VERSION,
            "ba-type": self._job.actor_type,
            "ba-id": self._ids[n % len(self._ids)],
            "ba-sender": self._job.sender,
            "ba-seq": number,
            "ba-low": number,
        }

    def body(self, n: int) -> bytes:
        """Return the body of message *n*."""
        encoded: bytes = msgpack.packb({"args": [n], "kwargs": {}})
        return encoded


def argument(body: bytes) -> int:
    """Return what the body of a message carries."""
    number: int = msgpack.unpackb(body)["args"][0]
    return number
