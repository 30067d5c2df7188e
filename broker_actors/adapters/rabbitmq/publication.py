"""One message on its way into the broker, and what the broker's answers to it mean."""

from __future__ import annotations

import asyncio

from aiormq.exceptions import (
    ChannelPreconditionFailed,
    ConnectionFrameError,
    DeliveryError,
    PublishError,
)

from broker_actors.adapters.rabbitmq.channels import describe
from broker_actors.adapters.rabbitmq.encoding import Properties, method_of
from broker_actors.core.errors import MailboxFullError, PayloadTooLargeError, PlatformError, UnroutableError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage


class Publication:
    """A message that somebody waits for.

    Attributes:
        message: what is published.
        done: resolved by the confirm, or with what the caller shall see.
        sent_seconds: loop time of the last sending; 0 before the first.

    """

    __slots__ = ("done", "exchange", "key", "message", "method", "properties", "sent_seconds")

    def __init__(self, route: Route, message: WireMessage, done: asyncio.Future[None]) -> None:
        self.exchange = route.exchange
        self.key = route.key
        self.message = message
        # Encoded here, so that what cannot be is refused in its caller's hands.
        self.method = method_of(route.exchange, route.key)
        self.properties = Properties(message)
        self.done = done
        self.sent_seconds = 0.0

    def succeed(self) -> None:
        """Tell the caller that the broker has taken responsibility."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell the caller what went wrong, unless it has stopped waiting."""
        if not self.done.done():
            self.done.set_exception(error)

    def refusal(self, error: DeliveryError) -> PlatformError:
        """Return what the broker's refusal means."""
        return self.unroutable() if isinstance(error, PublishError) else self.refused()

    def unroutable(self) -> PlatformError:
        """Return what it means that the broker returned this message."""
        return UnroutableError(f"no queue is bound to {self._target}")

    def refused(self) -> PlatformError:
        """Return what it means that the broker refused this message."""
        return MailboxFullError(f"a queue refused the message ({self._target})")

    @property
    def _target(self) -> str:
        return f"exchange {self.exchange!r}, routing key {self.key!r}"

    def blame(self, reason: BaseException | None) -> PlatformError:
        """Return what it means that the broker ended the channel over this message."""
        text = f"the broker refused the message: {describe(reason)}"
        if isinstance(reason, ChannelPreconditionFailed | ConnectionFrameError):
            return PayloadTooLargeError(text)
        return UnroutableError(text)
