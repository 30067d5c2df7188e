"""Lamps, each with a queue of its own."""

from broker_actors import Ref, actor, method


@actor(mailbox="dedicated")
class Lamp:
    """One lamp of the house."""

    on: bool = False

    @method
    def switch(self) -> bool:
        self.on = not self.on
        return self.on


class LampRef(Lamp, Ref):
    """A typed handle on a lamp."""
