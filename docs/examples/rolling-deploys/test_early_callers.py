"""A caller of the next release meets a worker of the old one."""

import json

from profiles import ProfileRef, ProfileV1

from broker_actors.testing import Actors, Reason


async def test_a_method_that_nobody_knows_is_tried_for_a_while(actors: Actors) -> None:
    kit = await actors(ProfileV1)
    await kit.ref(ProfileRef, "ada").greet.tell()
    (letter,) = await kit.dead_letters("Profile")
    assert letter.reason == Reason.UNKNOWN_TARGET
    assert letter.error == "UnknownMethodError: Profile has no method 'greet'"
    assert len(json.loads(letter.history)) == 8
