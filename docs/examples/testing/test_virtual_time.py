"""Thirty days, in milliseconds."""

from datetime import UTC, datetime, timedelta

from subscriptions import Post, PostRef, Subscription, SubscriptionRef

from broker_actors.testing import Actors, VirtualClock


async def test_the_customer_is_reminded_after_thirty_days(actors: Actors) -> None:
    kit = await actors(Subscription, Post, clock=VirtualClock())
    await kit.ref(SubscriptionRef, "ada").start(remind_in=30 * 86_400)
    await kit.advance(timedelta(days=29, hours=23))
    assert await kit.ref(PostRef, "ada").sent() == ["welcome"]
    await kit.advance(timedelta(hours=1))
    assert await kit.ref(PostRef, "ada").sent() == ["welcome", "your month is over"]


async def test_a_story_begins_when_it_should(actors: Actors) -> None:
    new_year = datetime(2030, 1, 1, tzinfo=UTC)
    kit = await actors(Post, clock=VirtualClock(new_year - timedelta(hours=1)))
    await kit.ref(PostRef, "ada").send.tell_at(new_year, "a happy new year")
    await kit.advance(timedelta(hours=1))
    assert await kit.ref(PostRef, "ada").sent() == ["a happy new year"]
