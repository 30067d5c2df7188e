"""When a node may be killed without losing the quorum queues it just declared.

RabbitMQ's Raft library keeps the register of a node's quorum queues in a file that it writes up to
a second late. Killed before that, a single node comes back with the queue's definition but not its
log: 3.10 never elects a leader for it, 4.3 starts it empty, confirmed messages or not. Tests are
about queues that exist, so they let that second pass before they kill.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from tests.servers.polling import until

_REGISTERS = "data/*/quorum/*/names.dets"
_SETTLED_SECONDS = 10
_WRITTEN_SECONDS = 2


def wait_registered(folder: Path, queues: Iterable[tuple[str, str]]) -> None:
    """Wait until the node whose data lie in *folder* has written down *queues*."""
    names = [f"{'%2F' if vhost == '/' else vhost}_{name}".encode() for vhost, name in queues]
    registers = list(folder.glob(_REGISTERS))
    if not names:
        return
    if not registers:
        # Another generation keeps its data where we cannot look.
        time.sleep(_WRITTEN_SECONDS)  # noqa: TID251 - no way to ask, and never in an event loop
        return

    def are_registered() -> bool:
        written = b"".join(register.read_bytes() for register in registers)
        return all(name in written for name in names)

    until(are_registered, "writing the register of quorum queues", _SETTLED_SECONDS)
