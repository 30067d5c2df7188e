"""Sends letters through a server that is not always there."""

from broker_actors import BusinessError, Ref, Retry, SystemFaultError, actor, method, turn


@actor(retry=Retry(attempts=4, min_backoff=0.5, max_backoff=30))
class Mailer:
    """One customer's post."""

    sent: int = 0

    @method
    def send(self, works_at: int) -> int:
        """Succeed at an attempt, to have something to look at."""
        if turn.current().attempt < works_at:
            raise ConnectionError("the mail server does not answer")
        self.sent += 1
        return turn.current().attempt

    @method.options(retry=Retry(attempts=1))
    def send_unprotected(self) -> None:
        raise ConnectionError("a second try would send it twice")

    @method
    def send_to(self, address: str) -> None:
        if "@" not in address:
            raise BusinessError("no_address", f"{address} is no address")
        if address.endswith("@example.org"):
            raise SystemFaultError("this server is gone for good", recoverable=False)
        self.sent += 1


class MailerRef(Mailer, Ref):
    """A typed handle on a mailer."""
