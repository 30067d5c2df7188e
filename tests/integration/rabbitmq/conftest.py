"""Makes the fixtures of this folder known to its tests."""

from tests.integration.rabbitmq.control import controlled_server

__all__ = ["controlled_server"]
