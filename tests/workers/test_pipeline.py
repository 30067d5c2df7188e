"""The pipeline: what it does, and that a worker may die at each of its nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_actors import ActorSystem, BusinessError, Settings, Worker
from broker_actors.actor.spec import spec_of
from broker_actors.flow import Standing, Status
from broker_actors.testing import actor_test
from tests.crash.points import Scene
from tests.crash.worker import HANG_SECONDS, LOOK_SECONDS, Ward
from workers.pipeline import Documents, DocumentsRef

TEXT = (
    "Actors have mailboxes. Each is a queue.\n\nTurns commit. All or nothing.\n\nFlows stand still. They can."
)
SUMMARY = "Actors have mailboxes. Turns commit. Flows stand still. ({})"


@pytest.fixture(autouse=True)
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIPELINE_FOLDER", str(tmp_path / "published"))
    monkeypatch.delenv("PIPELINE_MODEL", raising=False)
    return tmp_path / "published"


@pytest.fixture
def ward() -> Iterator[Ward]:
    ward = Ward("tests.workers.doomed_pipeline")
    yield ward
    ward.close()


def files(folder: Path) -> dict[str, str]:
    """Return what is in the files of *folder*, by their names."""
    return {file.name: file.read_text().strip() for file in folder.glob("*")}


async def test_a_document_is_summarised_reviewed_and_published(published: Path) -> None:
    async with actor_test(Documents) as kit:
        document = kit.ref(DocumentsRef, "d1")
        await document.start({"name": "a", "text": TEXT})
        await kit.settled(delayed=False)
        assert (await document.status()).promise == "Documents/d1#Review@5"
        assert files(published) == {"a.draft.txt": SUMMARY.format("combined")}
        with pytest.raises(BusinessError, match="publish, revise, reject"):
            await document.complete("Review", "burn")
        await document.complete("Review", {"verdict": "revise", "note": "shorter"})
        await kit.settled(delayed=False)
        await document.complete("Review@8", "publish")
        await kit.settled(delayed=False)
        assert (await document.status()).action == "published"
        assert files(published) == {"a.txt": SUMMARY.format("combined; shorter")}


async def test_what_is_rejected_leaves_nothing(published: Path) -> None:
    async with actor_test(Documents) as kit:
        document = kit.ref(DocumentsRef, "d1")
        await document.start({"name": "a", "text": TEXT})
        await document.complete("Review", "reject")
        await kit.settled(delayed=False)
        assert (await document.status()).action == "discarded"
        assert files(published) == {}


async def test_cancelling_removes_the_draft(published: Path) -> None:
    async with actor_test(Documents) as kit:
        document = kit.ref(DocumentsRef, "d1")
        await document.start({"name": "a", "text": TEXT})
        await kit.settled(delayed=False)
        await document.cancel("no longer needed")
        await kit.settled(delayed=False)
        assert (await document.status()).status is Status.CANCELLED
        assert files(published) == {}


async def test_an_empty_document_fails() -> None:
    async with actor_test(Documents) as kit:
        document = kit.ref(DocumentsRef, "d1")
        await document.start({"name": "a", "text": " "})
        await kit.settled(delayed=False)
        assert (await document.status()).error == "Split: BusinessError: there is nothing in it"


#: In the order the flow comes by, once before and once behind the person.
BEFORE = [
    "Split.post | after | 1",
    "Summarise.prep | after | 1",
    "Summarise.exec | after | 2",
    "Summarise.post | after | 1",
    "Combine.exec | after | 1",
    "Draft.exec | after | 1",
    "Review.prep | after | 1",
]
BEHIND = ["Review.post | after | 1", "Publish.exec | after | 1", "Publish.post | after | 1"]


@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_a_worker_that_dies_at_every_node_costs_nothing(
    ward: Ward, amqp_url: str, redis_url: str, tmp_path: Path, published: Path
) -> None:
    settings = Settings(url=amqp_url, redis_url=redis_url)
    async with asyncio.timeout(HANG_SECONDS), ActorSystem(settings) as system:
        await system.dispatch.layout("Documents", spec_of(Documents).layout)
        document = system.ref(DocumentsRef, "d1")
        await document.start.tell({"name": "a", "text": TEXT})
        for spot in BEFORE:
            await _die(ward, settings, spot, tmp_path, system)
        await document.complete.tell("Review", "publish")
        for spot in BEHIND:
            await _die(ward, settings, spot, tmp_path, system)
        async with Worker(system, Documents):
            standing = await _ended(document)
            result = await document.result()
    assert (standing.status, standing.action) == (Status.DONE, "published")
    assert result["summary"] == SUMMARY.format("combined")
    assert files(published) == {"a.txt": SUMMARY.format("combined")}
    assert standing.step == 8, "every node is committed once: in, seven of them, out, and none twice"


@pytest.mark.timeout(2 * HANG_SECONDS)
async def test_a_worker_that_dies_while_it_takes_back_has_a_successor_that_does(
    ward: Ward, amqp_url: str, redis_url: str, tmp_path: Path, published: Path
) -> None:
    settings = Settings(url=amqp_url, redis_url=redis_url)
    async with asyncio.timeout(HANG_SECONDS), ActorSystem(settings) as system:
        await system.dispatch.layout("Documents", spec_of(Documents).layout)
        document = system.ref(DocumentsRef, "d1")
        await document.start.tell({"name": "a", "text": TEXT})
        await _die(ward, settings, "Review.prep | after | 1", tmp_path, system)
        assert files(published) == {"a.draft.txt": SUMMARY.format("combined")}
        await document.cancel.tell("no longer needed")
        await _die(ward, settings, "Draft.compensate | after | 1", tmp_path, system)
        async with Worker(system, Documents):
            standing = await _ended(document)
    assert (standing.status, standing.error) == (Status.CANCELLED, "no longer needed")
    assert standing.uncompensated == []
    assert files(published) == {}


async def _ended(document: DocumentsRef) -> Standing:
    """Return how it stands once it has ended."""
    while not (standing := await document.status()).status.has_ended:
        assert standing.status is not Status.NEW, standing
        await asyncio.sleep(LOOK_SECONDS)
    return standing


async def _die(ward: Ward, settings: Settings, spot: str, folder: Path, system: ActorSystem) -> None:
    async with ward.doomed(settings, Scene.TURN, spot, folder) as dying:
        await dying.died()
    # Have it forgotten at once: a successor of several dead would wait for a lease to end.
    for member, _ in await system.backend.members.everyone():
        await system.backend.members.leave(member.name)
