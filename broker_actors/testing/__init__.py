"""For the tests of your own actors: a broker, a store and a worker inside the test.

    async with actor_test(Counter) as kit:
        assert await kit.ref(CounterRef, "c1").increment(2) == 2

With pytest, `pytest_plugins = ["broker_actors.testing.fixtures"]` gives the same as a fixture.
"""

from broker_actors.core.dead import DeadLetter, Reason
from broker_actors.core.events import TurnEnded
from broker_actors.testing.clock import PromptClock
from broker_actors.testing.factory import Actors
from broker_actors.testing.kit import ActorKit, actor_test
from broker_actors.testing.outstanding import NotSettledError
from broker_actors.testing.recording import EventMissingError
from broker_actors.testing.virtual import VirtualClock

__all__ = [
    "ActorKit",
    "Actors",
    "DeadLetter",
    "EventMissingError",
    "NotSettledError",
    "PromptClock",
    "Reason",
    "TurnEnded",
    "VirtualClock",
    "actor_test",
]
