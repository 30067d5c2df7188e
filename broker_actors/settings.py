"""What a deployment decides, read from the environment and overridable in code."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker_actors.core.errors import QUOTING, ConfigurationError
from broker_actors.core.lanes import RUNNING_MAX


class Settings(BaseSettings):
    """Settings of one process; each is also an environment variable `BROKER_ACTORS_<NAME>`.

    Attributes:
        url: the broker: `amqp://` or `amqps://`, or `memory://` for the embedded default.
        redis_url: the store: `redis://` or `rediss://`; several hosts of one cluster with commas between.
        ask_timeout_seconds: deadline of asks that name none.
        wait_if_full_seconds: how long calls wait for room in a full mailbox; 0 to fail at once.
        codec: encoding of calls, `msgpack` or `json`.
        connect_timeout_seconds: how long opening a system waits for the broker.
        publish_timeout_seconds: how long a publish may wait for its confirm.
        store_timeout_seconds: how long a store command may take.
        prefetch: deliveries per mailbox that a worker holds unacknowledged; a window, not the concurrency.
        running_max: turns a worker runs at a time; turns that wait in an ask do not count.
        threads_max: methods with `run_in="thread"` that a worker runs at a time.
        processes_max: methods with `run_in="process"` that a worker runs at a time, each in a process.
        residents_max: live actors of a worker; beyond it the least recently used leave memory when idle.
        drain_timeout_seconds: how long a stopping worker waits for the turns that run.
        max_loop_block_seconds: how long the event loop may be held up before a worker counts as not alive.
        end_when_hung: whether `broker-actors worker` ends itself when it is held up for twice as long.

    """

    model_config = SettingsConfigDict(env_prefix="BROKER_ACTORS_", extra="forbid")

    url: str = "memory://"
    redis_url: str = "redis://localhost:6379/0"
    ask_timeout_seconds: float = Field(default=30.0, gt=0)
    wait_if_full_seconds: float = Field(default=0.0, ge=0)
    codec: str = Field(default="msgpack", pattern="^(msgpack|json)$")
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    publish_timeout_seconds: float = Field(default=10.0, gt=0)
    store_timeout_seconds: float = Field(default=10.0, gt=0)
    prefetch: int = Field(default=1_000, ge=1, le=65_535)
    running_max: int = Field(default=RUNNING_MAX, ge=1)
    threads_max: int = Field(default=32, ge=1)
    processes_max: int = Field(default=4, ge=1)
    residents_max: int = Field(default=10_000, ge=1)
    drain_timeout_seconds: float = Field(default=20.0, ge=0)
    max_loop_block_seconds: float = Field(default=15.0, gt=0)
    end_when_hung: bool = True

    @property
    def scheme(self) -> str:
        """What kind of broker the URL names, such as `amqp`.

        Raises:
            ConfigurationError: the URL cannot be read; it is not quoted, for it may carry a password.

        """
        try:
            return urlsplit(self.url).scheme
        except ValueError:
            raise ConfigurationError(f"the broker's URL cannot be read: {QUOTING}") from None
