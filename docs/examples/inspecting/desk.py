"""A desk that works off what lies on it."""

from broker_actors import actor, method


@actor(partitions=2)
class Desk:
    done: int = 0

    @method
    def work(self) -> int:
        self.done += 1
        return self.done
