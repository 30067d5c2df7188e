"""One message on its way into the broker, and what the broker's answers to it mean."""

from __future__ import annotations

import asyncio

from aiormq.exceptions import (
    ChannelPreconditionFailed,
    ConnectionFrameError,
    DeliveryError,
    PublishError,
)
from pamqp.commands import Basic

from broker_actors.adapters.rabbitmq.channels import describe
from broker_actors.adapters.rabbitmq.delivery import to_properties
from broker_actors.core.errors import MailboxFullError, PayloadTooLargeError, PlatformError, UnroutableError
from broker_actors.core.topology import Route
from broker_actors.core.wire import WireMessage


class Publication:
    """A message that somebody waits for.

    Attributes:
        done: resolved by the confirm, or with what the caller shall see.
        sent_seconds: loop time of the last sending; 0 before the first.

    """

    __slots__ = ("body", "done", "exchange", "key", "properties", "sent_seconds")

    def __init__(self, route: Route, message: WireMessage, done: asyncio.Future[None]) -> None:
        self.exchange = route.exchange
        self.key = route.key
        self.properties: Basic.Properties = to_properties(message)
        self.body = message.body
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
        target = f"exchange {self.exchange!r}, routing key {self.key!r}"
        if isinstance(error, PublishError):
            return UnroutableError(f"no queue is bound to {target}")
        return MailboxFullError(f"a queue refused the message ({target})")

    def blame(self, reason: BaseException | None) -> PlatformError:
        """Return what it means that the broker ended the channel over this message."""
        text = f"the broker refused the message: {describe(reason)}"
        if isinstance(reason, ChannelPreconditionFailed | ConnectionFrameError):
            return PayloadTooLargeError(text)
        return UnroutableError(text)
