"""Everything that is not a good call has a named outcome, and nothing is lost."""

from __future__ import annotations

import asyncio
import json

import msgpack  # type: ignore[import-untyped] # it has no stubs
import pytest

from broker_actors import ActorSystem
from broker_actors.core import reply
from broker_actors.core.codec import BODY_BYTES_MAX
from broker_actors.core.errors import ErrorRecord, InvalidArgumentsError, PayloadTooLargeError
from broker_actors.core.events import ReplyIgnored, TurnEnded
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage
from tests.acceptance.conftest import Deployment
from tests.acceptance.counter import Counter, CounterRef, Echo, EchoRef, Giver, GiverRef
from tests.acceptance.dead_letters import take, take_from

GOOD = msgpack.packb({"args": [1], "kwargs": {}})


async def publish(system: ActorSystem, message: WireMessage, actor_id: str = "c1") -> None:
    """Put *message* into the mailbox of a counter, as a foreign publisher could."""
    layout = await system.dispatch.layout("Counter")
    await system.backend.transport.publish(Route("actors", layout.key_of(actor_id)), message)


def foreign(body: bytes = GOOD, method: str = "increment", **more: object) -> WireMessage:
    """Return the least a foreign publisher sends."""
    return WireMessage({"ba-type": "Counter", "ba-id": "c1", **more}, body, "application/msgpack", method)


async def test_the_least_a_foreign_publisher_sends_is_enough(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(system, foreign())
        await deployment.watcher.wait_for(TurnEnded)
        assert await system.ref(CounterRef, "c1").get() == 1


async def test_a_json_body_is_understood_and_answered_in_json(deployment: Deployment) -> None:
    system = await deployment.system(codec="json")
    async with deployment.worker(Counter):
        assert await system.ref("Counter", "c1").call("increment", 2) == 2


async def test_a_wrong_argument_on_an_ask_is_a_business_error(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        with pytest.raises(InvalidArgumentsError, match="n"):
            await system.ref("Counter", "c1").call("increment", "not a number")
    assert [e.attempt for e in deployment.watcher.of(TurnEnded)] == [1]


async def test_a_wrong_argument_on_a_tell_is_a_rejected_dead_letter(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(system, foreign(msgpack.packb({"args": ["x"]})))
        (letter,) = await take(system.backend.transport, "Counter", 1)
    assert (letter.reason, letter.message.type) == ("rejected", "increment")
    assert "InvalidArgumentsError" in letter.error


async def test_a_business_error_on_a_tell_is_a_rejected_dead_letter(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await system.ref(CounterRef, "c1").refuse.tell(11)
        (letter,) = await take(system.backend.transport, "Counter", 1)
    assert (letter.reason, letter.error) == ("rejected", "BusinessError: 11 is too much")


@pytest.mark.parametrize("problem", ["an object", "too large", "too long a number"])
async def test_a_result_that_cannot_be_sent_fails_a_tell_too(deployment: Deployment, problem: str) -> None:
    system = await deployment.system()
    async with deployment.worker(Giver):
        await system.ref(GiverRef, "g1").give.tell(problem)
        (letter,) = await take(system.backend.transport, "Giver", 1)
    assert letter.reason == "failed"
    assert letter.error.startswith(
        ("SystemFaultError: Giver.give returned", "PayloadTooLargeError: the result")
    )


async def test_the_result_of_a_tell_with_a_key_answers_who_asks_with_that_key(deployment: Deployment) -> None:
    system = await deployment.system()
    counter = system.ref(CounterRef, "c1").with_options(idempotency_key="once")
    async with deployment.worker(Counter):
        await counter.increment.tell(5)
        assert await counter.increment(5) == 5
        assert await system.ref(CounterRef, "c1").get() == 5


async def test_a_poison_tell_ends_in_the_dead_letters_with_its_history(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await system.ref(CounterRef, "c1").fail.tell(1)
        (letter,) = await take(system.backend.transport, "Counter", 1)
    assert (letter.reason, letter.error) == ("failed", "ValueError: boom")
    assert "ValueError: boom" in letter.traceback
    assert "raise ValueError(text)" in letter.traceback
    assert "runtime" not in letter.traceback, "frames that are the same in every letter tell nobody anything"
    assert [entry["attempt"] for entry in json.loads(letter.history)] == [1, 2, 3]
    assert letter.message.headers["ba-id"] == "c1"
    assert letter.origin.startswith("actors.Counter.g1.")


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\x93\x01",
        msgpack.packb([1]),
        msgpack.packb({"args": 1}),
        b"x" * (BODY_BYTES_MAX + 1),
        b"\x91" * 100,
    ],
    ids=["not msgpack", "cut", "not a map", "args no list", "oversized", "too deep"],
)
async def test_a_body_nobody_can_read_is_an_undecodable_dead_letter(
    deployment: Deployment, body: bytes
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(system, foreign(body))
        (letter,) = await take(system.backend.transport, "Counter", 1)
        assert (letter.reason, letter.message.body) == ("undecodable", body)
        assert await system.ref(CounterRef, "c1").increment() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ba-type": "Counter"},
        {"ba-type": "Counter", "ba-id": 7},
        {"ba-type": "Counter", "ba-id": "c1", "ba-version": 2},
    ],
    ids=["none", "no id", "id no text", "newer version"],
)
async def test_headers_nobody_can_read_are_an_undecodable_dead_letter(
    deployment: Deployment, headers: dict[str, object]
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(system, WireMessage(headers, GOOD, "application/msgpack", "increment"))
        (letter,) = await take(system.backend.transport, "Counter", 1)
        assert letter.reason == "undecodable"
        assert await system.ref(CounterRef, "c1").get() == 0


async def test_an_unreadable_ask_is_answered_too(deployment: Deployment) -> None:
    system = await deployment.system()
    answers: asyncio.Queue[object] = asyncio.Queue()
    replies = system.backend.replies
    channel = await replies.open(
        "me", lambda _id, answer: answers.put_nowait(reply.read(answer)), lambda: None
    )
    async with deployment.worker(Counter):
        message = WireMessage({"ba-type": "Counter"}, GOOD, "", "increment", "1", channel.name)
        await publish(system, message)
        async with asyncio.timeout(30):
            answer = await answers.get()
    assert isinstance(answer, ErrorRecord)
    assert answer.kind == "UndecodableError"


async def test_an_unknown_method_is_retried_through_the_delay_levels(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await publish(system, foreign(method="not_yet_deployed"))
        ended = await deployment.watcher.wait_for(TurnEnded, lambda e: e.method == "not_yet_deployed", 2)
    assert [e.outcome for e in ended] == ["retried", "retried"]
    assert ended[0].attempt < ended[1].attempt


async def test_a_message_of_another_type_in_a_mailbox_finds_its_own(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter, Echo):
        stray = WireMessage({"ba-type": "Echo", "ba-id": "e1"}, msgpack.packb({"args": ["hi"]}), "", "say")
        await publish(system, stray)
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.address.type == "Echo" and e.outcome == "ok")


async def test_what_a_foreign_sender_misroutes_through_the_safety_net_finds_its_actor(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        wrong = Route("actors.in", "Counter.g1.no-such-partition")
        await system.backend.transport.publish(wrong, foreign())
        right = Route("actors.in", (await system.dispatch.layout("Counter")).key_of("c1"))
        await system.backend.transport.publish(right, foreign())
        await deployment.watcher.wait_for(TurnEnded, lambda e: e.outcome == "ok", 2)
        assert await system.ref(CounterRef, "c1").get() == 2


async def test_what_is_due_but_nobody_can_read_is_kept_with_what_the_broker_gave_up(
    deployment: Deployment,
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        await system.backend.transport.publish(Route("actors.due", "due"), WireMessage({}, b"?", "", "m"))
        (letter,) = await take_from(system.backend.transport, "actors.dead", 1)
    assert (letter.reason, letter.message.body) == ("undecodable", b"?")


@pytest.mark.parametrize("correlation_id", ["1", ""])
async def test_a_failure_whose_asker_cannot_be_told_is_a_dead_letter(
    deployment: Deployment, correlation_id: str
) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        asked = WireMessage(
            {"ba-type": "Counter", "ba-id": "c1"}, GOOD, "", "refuse", correlation_id, "a queue of my own"
        )
        await publish(system, asked)
        (letter,) = await take(system.backend.transport, "Counter", 1)
    assert (letter.reason, letter.error) == ("rejected", "BusinessError: 1 is too much")


async def test_a_late_reply_is_counted_and_harms_nobody(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Echo):
        assert await system.ref(EchoRef, "e1").say("first") == "first"
        channel = system.client.reply_channel
        await system.backend.replies.send(channel, "1", reply.of_result("forged"))
        await system.backend.replies.send(channel, "no such ask", reply.of_result("forged"))
        ignored = await deployment.watcher.wait_for(ReplyIgnored, count=2)
        assert [e.correlation_id for e in ignored] == ["1", "no such ask"]
        assert await system.ref(EchoRef, "e1").say("second") == "second"


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Echo):
        with pytest.raises(PayloadTooLargeError, match="1048576"):
            await system.ref(EchoRef, "e1").say("x" * BODY_BYTES_MAX)


async def test_a_result_over_the_limit_is_an_error_answer(deployment: Deployment) -> None:
    system = await deployment.system()
    async with deployment.worker(Counter):
        counter = system.ref(CounterRef, "c1")
        for _ in range(2):
            await counter.append("x" * (BODY_BYTES_MAX // 2 - 1000))
        with pytest.raises(PayloadTooLargeError):
            await counter.append("y" * 4000)
        assert len(await counter.read()) == 2 * (BODY_BYTES_MAX // 2 - 1000)
