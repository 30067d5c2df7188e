"""A printer that jams."""

from broker_actors import Ref, Retry, actor, method, turn


@actor(retry=Retry(attempts=3, min_backoff=0.01, max_backoff=0.1))
class Printer:
    """Prints statements of accounts."""

    pages: int = 0

    @method
    def print_statement(self, jams: int) -> str:
        self.pages += 1
        attempt = turn.current().attempt
        if attempt <= jams:
            raise OSError("paper jam")
        return f"page {self.pages}, attempt {attempt}"


class PrinterRef(Printer, Ref):
    """A typed handle on a printer."""
