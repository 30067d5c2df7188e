"""What comes later waits for what failed."""

from documents import Document, DocumentRef

from broker_actors.testing import Actors


async def test_later_changes_wait_for_one_that_fails(actors: Actors) -> None:
    kit = await actors(Document)
    document = kit.ref(DocumentRef, "d1")
    await document.append.tell("To be, ", works_at=4)
    await document.append.tell("or not to be")
    assert await document.read() == "To be, or not to be"
