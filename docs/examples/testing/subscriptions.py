"""Subscriptions that remind their customer."""

from broker_actors import BusinessError, Ref, actor, method, turn


@actor
class Subscription:
    """One customer's subscription."""

    active: bool = False
    _calls: int = 0  # an underscore: not durable

    @method
    async def start(self, remind_in: float) -> None:
        self._calls += 1
        self.active = True
        post = turn.current().ref(PostRef, turn.current().actor_id)
        await post.send.tell("welcome")
        await post.send.tell_after(remind_in, "your month is over")

    @method
    def calls(self) -> int:
        return self._calls

    @method
    def is_active(self) -> bool:
        return self.active


class SubscriptionRef(Subscription, Ref):
    """A typed handle on a subscription."""


@actor
class Post:
    """What one customer was sent."""

    letters: list[str]

    def __init__(self) -> None:
        self.letters = []

    @method
    def send(self, text: str) -> None:
        if not text:
            raise BusinessError("empty")
        self.letters.append(text)

    @method
    def sent(self) -> list[str]:
        return self.letters


class PostRef(Post, Ref):
    """A typed handle on a customer's post."""
