"""What the kit can do."""

from subscriptions import Post, PostRef, Subscription, SubscriptionRef

from broker_actors.testing import Actors, TurnEnded, actor_test


async def test_in_one_line(actors: Actors) -> None:
    assert await (await actors(Subscription)).ref(SubscriptionRef, "ada").is_active() is False


async def test_a_tell_and_what_follows_from_it(actors: Actors) -> None:
    kit = await actors(Subscription, Post)
    await kit.ref(SubscriptionRef, "ada").start.tell(remind_in=30 * 86_400)
    await kit.settled(delayed=False)
    assert await kit.ref(PostRef, "ada").sent() == ["welcome"]


async def test_a_delayed_message_arrives(actors: Actors) -> None:
    kit = await actors(Subscription, Post)
    await kit.ref(SubscriptionRef, "ada").start(remind_in=1)
    await kit.settled()
    assert await kit.ref(PostRef, "ada").sent() == ["welcome", "your month is over"]


async def test_what_is_refused_ends_in_the_dead_letters(actors: Actors) -> None:
    kit = await actors(Post)
    await kit.ref(PostRef, "ada").send.tell("")
    (letter,) = await kit.dead_letters(Post)
    assert (letter.reason, letter.message.type, letter.error) == ("rejected", "send", "BusinessError: empty")


async def test_which_turns_ran(actors: Actors) -> None:
    kit = await actors(Post)
    await kit.ref(PostRef, "ada").send.tell("one")
    await kit.ref(PostRef, "bob").send.tell("two")
    await kit.wait_for(TurnEnded, lambda ended: ended.outcome == "ok", count=2)
    assert {str(turn.address) for turn in kit.turns} == {"Post/ada", "Post/bob"}


async def test_state_survives_and_the_rest_does_not(actors: Actors) -> None:
    kit = await actors(Subscription, Post)
    ada = kit.ref(SubscriptionRef, "ada")
    await ada.start(remind_in=3600)
    await kit.restart()
    assert (await ada.is_active(), await ada.calls()) == (True, 0)


async def test_without_the_fixture() -> None:
    async with actor_test(Post) as kit:
        assert await kit.ref(PostRef, "ada").sent() == []
