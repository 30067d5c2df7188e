"""Documents whose changes must be applied in the order in which they were made."""

from broker_actors import Ref, Retry, actor, method, turn


@actor(on_failure="block", retry=Retry(attempts=10, min_backoff=1, max_backoff=60))
class Document:
    """One text, edited by tells."""

    text: str = ""

    @method
    def append(self, words: str, *, works_at: int = 1) -> None:
        """Add *words*; the disk is there at an attempt, to have something to look at."""
        if turn.current().attempt < works_at:
            raise OSError("the disk is not there")
        self.text += words

    @method
    def read(self) -> str:
        return self.text


class DocumentRef(Document, Ref):
    """A typed handle on a document."""
