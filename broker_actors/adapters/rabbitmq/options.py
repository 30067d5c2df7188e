"""What can be set about the connection to RabbitMQ, and the bounds that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: One attempt to connect, TLS and authentication included.
CONNECT_ATTEMPT_SECONDS: Final = 5.0
#: Backoff between attempts to connect: full jitter up to this, so that a restarted broker is not stormed.
RECONNECT_BACKOFF_SECONDS_MAX: Final = 5.0
#: A connection that was lost sooner counts as a failed attempt, so that the next one waits longer.
LASTING_SECONDS: Final = 5.0
#: For the orderly end of a channel or a connection; after that the broker finds out by itself.
CLOSE_SECONDS: Final = 5.0
#: Frames a channel takes from the socket before its reader has to run, and frames that wait for the writer.
#: The library's own choice of 10 costs every pipelined publish two switches between tasks.
FRAME_BUFFER: Final = 1_024
#: For consuming: what one channel takes in at once keeps everything else of the process waiting.
CONSUMING_FRAME_BUFFER: Final = 96
#: Publications that wait in line while the window is full or the broker away. Each belongs to a caller
#: that waits for it; one more is refused at once.
LINE_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class RabbitOptions:
    """How a `RabbitTransport` behaves.

    Attributes:
        name: shown as the connection's name in the broker's UI.
        connect_timeout_seconds: how long a call waits for a connection and for its own answer.
        publish_timeout_seconds: how long a publish waits for its confirm, reconnects included.
        declare_timeout_seconds: how long one call of `declare` may take altogether.
        heartbeat_seconds: silence of three times this ends a connection. The URL's own `heartbeat` wins.
        in_flight_max: publications sent and not yet confirmed.

    """

    name: str = "broker_actors"
    connect_timeout_seconds: float = 10.0
    publish_timeout_seconds: float = 10.0
    declare_timeout_seconds: float = 30.0
    heartbeat_seconds: int = 10
    in_flight_max: int = 1_000
