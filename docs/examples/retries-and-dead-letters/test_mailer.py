"""What is tried again, how often, and what becomes of the rest."""

import json

import pytest
from mailer import Mailer, MailerRef

from broker_actors import BusinessError, SystemFaultError
from broker_actors.testing import Actors, Reason


async def test_a_fault_is_tried_again(actors: Actors) -> None:
    kit = await actors(Mailer)
    assert await kit.ref(MailerRef, "ada").send(3) == 3
    assert [(turn.outcome, turn.attempt) for turn in kit.turns] == [("ok", 3)]


async def test_the_caller_of_an_ask_hears_when_the_attempts_are_used_up(actors: Actors) -> None:
    kit = await actors(Mailer)
    with pytest.raises(SystemFaultError, match="ConnectionError: the mail server") as caught:
        await kit.ref(MailerRef, "ada").send(99)
    assert caught.value.remote_type == "ConnectionError"
    assert 'raise ConnectionError("the mail server' in caught.value.remote_traceback
    assert await kit.dead_letters(Mailer) == []


async def test_a_tell_becomes_a_dead_letter(actors: Actors) -> None:
    kit = await actors(Mailer)
    await kit.ref(MailerRef, "ada").send.tell(99)
    (letter,) = await kit.dead_letters(Mailer)
    assert letter.reason == Reason.FAILED
    assert letter.error == "ConnectionError: the mail server does not answer"
    assert [entry["attempt"] for entry in json.loads(letter.history)] == [1, 2, 3, 4]


async def test_a_method_has_a_policy_of_its_own(actors: Actors) -> None:
    kit = await actors(Mailer)
    with pytest.raises(SystemFaultError):
        await kit.ref(MailerRef, "ada").send_unprotected()
    assert [turn.attempt for turn in kit.turns] == [1]


async def test_a_refusal_is_not_tried_again(actors: Actors) -> None:
    kit = await actors(Mailer)
    with pytest.raises(BusinessError, match="nobody is no address"):
        await kit.ref(MailerRef, "ada").send_to("nobody")
    await kit.ref(MailerRef, "ada").send_to.tell("nobody")
    (letter,) = await kit.dead_letters(Mailer)
    assert letter.reason == Reason.REJECTED
    assert [turn.attempt for turn in kit.turns] == [1, 1]


async def test_a_fault_can_say_that_trying_again_is_no_use(actors: Actors) -> None:
    kit = await actors(Mailer)
    with pytest.raises(SystemFaultError, match="gone for good"):
        await kit.ref(MailerRef, "ada").send_to("someone@example.org")
    assert [turn.attempt for turn in kit.turns] == [1]
