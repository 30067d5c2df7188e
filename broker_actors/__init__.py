"""Durable virtual actors on RabbitMQ and Redis."""

from broker_actors.actor.method import method
from broker_actors.actor.ref import Ref
from broker_actors.actor.spec import actor
from broker_actors.actor.turn import turn
from broker_actors.bootstrap.system import ActorSystem
from broker_actors.core.errors import (
    ActorError,
    AskTimeoutError,
    BrokerActorsError,
    BusinessError,
    ConfigurationError,
    IdempotencyConflictError,
    InvalidArgumentsError,
    MailboxFullError,
    PlatformError,
    SystemFaultError,
    UnknownActorTypeError,
    UnroutableError,
)
from broker_actors.core.retry import Retry
from broker_actors.settings import Settings
from broker_actors.worker.worker import Worker

__all__ = [
    "ActorError",
    "ActorSystem",
    "AskTimeoutError",
    "BrokerActorsError",
    "BusinessError",
    "ConfigurationError",
    "IdempotencyConflictError",
    "InvalidArgumentsError",
    "MailboxFullError",
    "PlatformError",
    "Ref",
    "Retry",
    "Settings",
    "SystemFaultError",
    "UnknownActorTypeError",
    "UnroutableError",
    "Worker",
    "actor",
    "method",
    "turn",
]
