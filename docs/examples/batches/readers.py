"""An actor for each document, which counts its words."""

from broker_actors import BusinessError, Ref, actor, method


@actor(partitions=4)
class Document:
    """Knows how long it is."""

    words: int = 0

    @method
    def count(self, text: str) -> int:
        if not text:
            raise BusinessError("empty", "nothing to count")
        self.words = len(text.split())
        return self.words


class DocumentRef(Document, Ref):
    """A typed handle."""
