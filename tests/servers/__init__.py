"""Private RabbitMQ and Redis servers for tests.

What belongs here: starting, breaking and ending real servers. What the tests do with them is theirs.

Every server gets free ports, a folder and a process group of its own, never touches one that
already runs on the machine, and ends with the test run even if that is killed. All calls block; a
coroutine that must go on meanwhile uses `await asyncio.to_thread(server.restart)`. `python -m
tests.servers` starts a pair by hand.
"""

from tests.servers.process import ServerError
from tests.servers.rabbit import RabbitServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_server import RedisServer
from tests.servers.server import Server
from tests.servers.vhosts import VirtualHosts

__all__ = ["RabbitServer", "RedisCluster", "RedisServer", "Server", "ServerError", "VirtualHosts"]
