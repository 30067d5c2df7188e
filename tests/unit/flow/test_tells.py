"""What nodes tell other actors: it leaves with their commit, and not at all if they fail."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from broker_actors import Ref, actor, method, turn
from broker_actors.flow import BaseNode, Flow, Node, ParallelBatchNode, Status
from broker_actors.testing import actor_test
from tests.unit.flow.story import durable

Shared = dict[str, Any]


@actor(partitions=1)
class Post:
    """Keeps what it is told."""

    letters: list[str]

    def __init__(self) -> None:
        self.letters = []

    @method
    def send(self, text: str) -> None:
        self.letters.append(text)

    @method
    def all(self) -> list[str]:
        return self.letters


class PostRef(Post, Ref): ...


async def tell(text: str) -> None:
    await turn.current().ref(PostRef, "p").send.tell(text)
    await turn.current().ref(PostRef, "p").send.tell_after(0.001, f"{text} later")


class Tells(Node):
    """Tells in each of its functions, and takes back."""

    async def prep(self, shared: Shared) -> None:
        await tell("prep")

    async def exec(self, prep_res: object) -> None:
        await tell("exec")

    async def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        await tell("post")

    async def compensate(self, shared: Shared, exec_res: object) -> None:
        await tell("compensate")
        if shared["stubborn"]:
            raise OSError("closed")


class Fails(Tells):
    async def post(self, shared: Shared, prep_res: object, exec_res: object) -> None:
        await tell("failing post")
        raise ValueError("in post")


class FailingItems(ParallelBatchNode):
    def prep(self, shared: Shared) -> list[int]:
        return [1]

    async def exec(self, prep_res: int) -> None:
        await tell("failing item")
        raise ValueError("in exec")


@pytest.mark.parametrize("stubborn", [False, True])
@pytest.mark.parametrize("kind", [Fails, FailingItems])
async def test_what_fails_for_good_has_told_nobody(kind: type[BaseNode], stubborn: bool) -> None:
    tells = Tells()
    tells >> kind()
    story, ref_class = durable(Flow(tells))
    async with actor_test(story, Post) as kit:
        ref = kit.ref(ref_class, "s1")
        await ref.start({"stubborn": stubborn})
        await kit.settled()
        standing = await ref.status()
        assert standing.status is Status.FAILED
        assert standing.uncompensated == (["Tells: OSError: closed"] if stubborn else [])
        letters = await kit.ref(PostRef, "p").all()
    expected = ["prep", "exec", "post"] + ["compensate"] * (not stubborn)
    assert sorted(letters) == sorted([*expected, *(f"{text} later" for text in expected)])


async def test_what_was_told_before_and_after_such_a_block_leaves() -> None:
    @actor(partitions=1)
    class Teller:
        @method
        async def say(self) -> None:
            await tell("before")
            with suppress(ZeroDivisionError), turn.current().all_or_nothing():
                await tell("in it")
                _ = 1 / 0
            await tell("after")

    class TellerRef(Teller, Ref): ...

    async with actor_test(Teller, Post) as kit:
        await kit.ref(TellerRef, "t").say()
        await kit.settled()
        letters = await kit.ref(PostRef, "p").all()
    assert [text for text in letters if "later" not in text] == ["before", "after"]
    assert {text for text in letters if "later" in text} == {"before later", "after later"}
