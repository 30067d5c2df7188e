"""Documents on their way to being published: `broker-actors worker workers.pipeline`.

What it shows: a durable flow. Parts of a document are summarised beside each other by a language model, a
person decides about the whole, and what was written down before is removed when the flow is cancelled or
fails. The model is whatever `PIPELINE_MODEL` names as `module:Class`; without it, one that needs no key.
"""

# pyright: reportUnusedExpression=false
# `a >> b` wires two nodes, and is used by that.

from __future__ import annotations

import asyncio
import os
import pkgutil
from pathlib import Path
from typing import ClassVar, Final, Protocol, TypedDict, cast

from broker_actors import BusinessError, Ref, actor
from broker_actors.flow import BaseNode, DurableFlow, Flow, Node, ParallelBatchNode, Wait

#: One call of the model, and how often it is made.
MODEL_SECONDS_MAX: Final = 120.0
MODEL_ATTEMPTS: Final = 3
#: Parts summarised at once.
CONCURRENCY: Final = 4
#: How long a person may take.
REVIEW_SECONDS: Final = 7 * 86_400.0
VERDICTS: Final = ("publish", "revise", "reject")
#: Then somebody has to look at it.
REVISIONS_MAX: Final = 5


class Document(TypedDict):
    """What the nodes share: `name` and `text` are given, the rest is there once its node has run."""

    name: str
    text: str
    parts: list[str]
    summaries: list[str]
    summary: str
    notes: list[str]
    draft: str
    published: str


class Decision(TypedDict):
    """What a reviewer says."""

    verdict: str
    note: str


class Model(Protocol):
    """A language model."""

    async def answer(self, instruction: str, text: str) -> str:
        """Return what the model makes of *text*."""
        ...


class FirstSentences:
    """Stands in for a model: the first sentence of each paragraph, and what it was told."""

    async def answer(self, instruction: str, text: str) -> str:
        """Return the first sentences."""
        await asyncio.sleep(0)
        sentences = [part.split(". ")[0].rstrip(".") for part in text.split("\n") if part]
        return f"{'. '.join(sentences)}. ({instruction})"


def model() -> Model:
    """Return the model that is to be used."""
    return cast(
        "Model", pkgutil.resolve_name(os.environ.get("PIPELINE_MODEL", "workers.pipeline:FirstSentences"))()
    )


def folder() -> Path:
    """Return where drafts and published summaries are written."""
    return Path(os.environ.get("PIPELINE_FOLDER", "published"))


class Split(Node):
    """Takes the document apart."""

    def prep(self, shared: Document) -> str:
        """Return the text."""
        return shared["text"]

    def exec(self, prep_res: str) -> list[str]:
        """Return its paragraphs.

        Raises:
            BusinessError: `empty`.

        """
        parts = [part.strip() for part in prep_res.split("\n\n") if part.strip()]
        if not parts:
            raise BusinessError("empty", "there is nothing in it")
        return parts

    def post(self, shared: Document, prep_res: str, exec_res: list[str]) -> None:  # noqa: ARG002 - as every node
        """Keep them."""
        shared["parts"] = exec_res


class Summarise(ParallelBatchNode):
    """Has the model summarise each part; every part is an actor's turn of its own."""

    timeout: float | None = MODEL_SECONDS_MAX

    def prep(self, shared: Document) -> list[str]:
        """Return the parts."""
        return shared["parts"]

    async def exec(self, prep_res: str) -> str:
        """Return the summary of one."""
        return await model().answer("summarised", prep_res)

    def post(self, shared: Document, prep_res: list[str], exec_res: list[str]) -> None:  # noqa: ARG002 - as every node
        """Keep the summaries, in the order of the parts."""
        shared["summaries"] = exec_res


class Combine(Node):
    """Has the model make one summary of all, with what reviewers have noted."""

    timeout: float | None = MODEL_SECONDS_MAX

    def prep(self, shared: Document) -> tuple[str, str]:
        """Return what is to be done, and the summaries."""
        return "; ".join(["combined", *shared.get("notes", [])]), "\n".join(shared["summaries"])

    async def exec(self, prep_res: tuple[str, str]) -> str:
        """Return the summary."""
        return await model().answer(*prep_res)

    def post(self, shared: Document, prep_res: object, exec_res: str) -> None:  # noqa: ARG002 - as every node
        """Keep it."""
        shared["summary"] = exec_res


class Draft(Node):
    """Writes the summary where reviewers find it; the same file however often it runs."""

    def prep(self, shared: Document) -> tuple[str, str]:
        """Return the name of the file and its text."""
        return f"{shared['name']}.draft.txt", shared["summary"]

    def exec(self, prep_res: tuple[str, str]) -> str:
        """Write the draft."""
        return _written(*prep_res)

    def post(self, shared: Document, prep_res: object, exec_res: str) -> None:  # noqa: ARG002 - as every node
        """Keep where it is."""
        shared["draft"] = exec_res

    def compensate(self, shared: Document, exec_res: str) -> None:  # noqa: ARG002 - as every such node
        """Remove the draft."""
        Path(exec_res).unlink(missing_ok=True)


class Review(Wait):
    """Waits for a person."""

    def prep(self, shared: Document) -> str:
        """Return what there is to decide about; here somebody would be told, with `self.promise`."""
        return shared["summary"]

    def accept(self, value: object) -> Decision:
        """Return the decision.

        Raises:
            BusinessError: `bad_decision`.

        """
        given = cast("dict[str, object]", value) if isinstance(value, dict) else {"verdict": value}
        if given.get("verdict") not in VERDICTS:
            raise BusinessError(
                "bad_decision", f"a decision is {', '.join(VERDICTS)}, with a note if need be"
            )
        return {"verdict": str(given["verdict"]), "note": str(given.get("note", ""))}

    def post(self, shared: Document, prep_res: str, exec_res: Decision) -> str:  # noqa: ARG002 - as every node
        """Keep the note; the verdict says what follows."""
        notes = shared.setdefault("notes", [])
        if exec_res["verdict"] == "revise" and len(notes) >= REVISIONS_MAX:
            raise BusinessError("too_many_revisions", f"it was revised {REVISIONS_MAX} times")
        notes.extend([exec_res["note"]] if exec_res["note"] else [])
        return exec_res["verdict"]


class Publish(Node):
    """Writes the summary where readers find it, and removes the draft."""

    def prep(self, shared: Document) -> tuple[str, str, str]:
        """Return the name of the file, its text, and the draft."""
        return f"{shared['name']}.txt", shared["summary"], shared["draft"]

    def exec(self, prep_res: tuple[str, str, str]) -> str:
        """Write the summary."""
        name, text, draft = prep_res
        Path(draft).unlink(missing_ok=True)
        return _written(name, text)

    def post(self, shared: Document, prep_res: object, exec_res: str) -> str:  # noqa: ARG002 - as every node
        """Keep where it is."""
        shared["published"] = exec_res
        return "published"


class Discard(Node):
    """Removes the draft."""

    def prep(self, shared: Document) -> str:
        """Return where the draft is."""
        return shared["draft"]

    def exec(self, prep_res: str) -> None:
        """Remove it."""
        Path(prep_res).unlink(missing_ok=True)

    def post(self, shared: Document, prep_res: str, exec_res: None) -> str:  # noqa: ARG002 - as every node
        """Say so."""
        return "discarded"


def documents() -> Flow:
    """Return the flow."""
    split = Split()
    summarise = Summarise(max_retries=MODEL_ATTEMPTS, wait=0.5, concurrency=CONCURRENCY)
    combine = Combine(max_retries=MODEL_ATTEMPTS, wait=0.5)
    draft, review = Draft(), Review(timeout=REVIEW_SECONDS)
    split >> summarise >> combine >> draft >> review
    review - "publish" >> Publish()
    review - "revise" >> combine
    review - "reject" >> Discard()
    return Flow(start=split)


@actor(partitions=8)
class Documents(DurableFlow):
    """One document; its id is any name for it."""

    flow: ClassVar[BaseNode] = documents()


class DocumentsRef(Documents, Ref):
    """A typed handle on a document."""


def _written(name: str, text: str) -> str:
    """Write a file, whole or not at all; return where it is."""
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / name
    part = path.with_suffix(".part")
    part.write_text(f"{text}\n")
    part.replace(path)
    return str(path)
