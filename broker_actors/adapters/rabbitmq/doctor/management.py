"""What only the management API tells: policies, alarms, queues by name, bindings, the broker's clock.

The standard library's HTTP client, in a thread: a handful of small requests are not worth a
dependency. Every request has a deadline and every answer a bound.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from yarl import URL

from broker_actors.core.diagnosis.nodes import Node
from broker_actors.core.diagnosis.policies import Policy
from broker_actors.core.errors import QUOTING, ConfigurationError
from broker_actors.core.topology import ACTORS, Binding

T = TypeVar("T")

_REQUEST_SECONDS: Final = 10.0
_ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
_PAGE: Final = 500
_PAGES_MAX: Final = 200


class ManagementError(Exception):
    """The management API did not tell; says why, without credentials."""


class _RefusedError(ManagementError):
    """The user may not see this part."""


class _Node(BaseModel):
    name: str
    running: bool = False
    mem_alarm: bool = False
    disk_free_alarm: bool = False
    partitions: list[str] = []


class _Policy(BaseModel):
    name: str
    pattern: str
    apply_to: str = Field("all", alias="apply-to")
    priority: int = 0
    definition: dict[str, object]


class _Queue(BaseModel):
    name: str


class _Page(BaseModel):
    items: list[_Queue]
    page_count: int = 1


class _Binding(BaseModel):
    source: str
    destination: str
    destination_type: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What the management API told of a virtual host.

    Attributes:
        nodes: of the whole broker.
        policies: the operator's among them.
        queues: the names of the platform's.
        bindings: from an exchange of the platform.
        unseen: what the user may not see, in words.
        ahead_seconds: by how much the broker's clock is ahead of this host's, to a second.

    """

    nodes: Sequence[Node] = ()
    policies: Sequence[Policy] = ()
    queues: Sequence[str] = ()
    bindings: frozenset[Binding] = field(default_factory=frozenset[Binding])
    unseen: Sequence[str] = ()
    ahead_seconds: float = 0.0


async def overview(management: str, vhost: str, fallback: URL) -> Overview:
    """Return what the management API at the URL *management* tells of *vhost*.

    Args:
        management: `http://user:password@host:15672`.
        vhost: the virtual host.
        fallback: the broker's URL, whose user is taken if *management* names none.

    Raises:
        ConfigurationError: *management* is not a URL of HTTP.
        ManagementError: it could not be asked, or may not be.

    """
    url = _parse(management)
    if url.user is None:
        url = url.with_user(fallback.user or "guest").with_password(fallback.password or "guest")
    return await asyncio.to_thread(_Api(url).overview, vhost)


class _Api:
    def __init__(self, url: URL) -> None:
        self._url = url
        self._place = f"{url.host}:{url.port}"
        credentials = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
        self._headers = {"authorization": f"Basic {credentials}"}
        self._ahead_seconds = 0.0
        self._unseen: list[str] = []

    def overview(self, vhost: str) -> Overview:
        path = quote(vhost, safe="")
        # These two need tags of their own: monitoring, and on some releases policymaker.
        nodes = self._if_allowed("/api/nodes", TypeAdapter(list[_Node]))
        operators = self._if_allowed(f"/api/operator-policies/{path}", TypeAdapter(list[_Policy]))
        policies = self._get(f"/api/policies/{path}", TypeAdapter(list[_Policy]))
        bindings = self._get(f"/api/bindings/{path}", TypeAdapter(list[_Binding]))
        return Overview(
            [_node(one) for one in nodes],
            [*(_policy(one) for one in policies), *(_policy(one, operator=True) for one in operators)],
            self._queues(path),
            frozenset(_binding(one) for one in bindings if one.source.startswith(ACTORS)),
            tuple(self._unseen),
            self._ahead_seconds,
        )

    def _if_allowed(self, path: str, of: TypeAdapter[list[T]]) -> list[T]:
        try:
            return self._get(path, of)
        except _RefusedError as error:
            self._unseen.append(str(error))
            return []

    def _queues(self, vhost: str) -> list[str]:
        names: list[str] = []
        for page in range(1, _PAGES_MAX + 1):
            query = f"page={page}&page_size={_PAGE}&name=%5E{ACTORS}%5C.&use_regex=true&columns=name"
            found = self._get(f"/api/queues/{vhost}?{query}", TypeAdapter(_Page))
            names += [queue.name for queue in found.items]
            if page >= found.page_count:
                return names
        raise ManagementError(f"{self._place} has more than {_PAGE * _PAGES_MAX} queues of the platform")

    def _get(self, path: str, of: TypeAdapter[T]) -> T:
        body = self._body(path)
        try:
            return of.validate_json(body)
        except ValidationError as error:
            text = f"{self._place}{path} is not what the management API of RabbitMQ answers"
            raise ManagementError(text) from error

    def _body(self, path: str) -> bytes:
        connect = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = connect(self._url.host or "", self._url.port, timeout=_REQUEST_SECONDS)
        prefix = self._url.path.rstrip("/")
        try:
            before_seconds = time.time()
            connection.request("GET", prefix + path, headers=self._headers)
            response = connection.getresponse()
            body = response.read(_ANSWER_BYTES_MAX + 1)
            after_seconds = time.time()
        except (OSError, HTTPException) as error:
            raise ManagementError(
                f"{self._place} cannot be asked: {str(error) or type(error).__name__}"
            ) from error
        finally:
            connection.close()
        if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            text = f"{self._place} does not let user {self._url.user!r} see {path.partition('?')[0]}"
            raise _RefusedError(text)
        if response.status != HTTPStatus.OK or len(body) > _ANSWER_BYTES_MAX:
            raise ManagementError(f"{self._place}{path} answered {response.status} {response.reason}")
        self._ahead_seconds = _ahead(response.getheader("date"), (before_seconds + after_seconds) / 2)
        return body


def _parse(management: str) -> URL:
    try:
        url = URL(management)
    except ValueError:
        raise ConfigurationError(f"the management URL cannot be read: {QUOTING}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("the management URL must look like http://user:password@host:15672")
    return url


def _ahead(date: str | None, now_seconds: float) -> float:
    if date is None:
        return 0.0
    try:
        # Cut to a second: its middle is half a second later.
        return parsedate_to_datetime(date).timestamp() + 0.5 - now_seconds
    except ValueError:
        return 0.0


def _node(one: _Node) -> Node:
    alarms = [name for name, on in (("memory", one.mem_alarm), ("disk", one.disk_free_alarm)) if on]
    return Node(one.name, one.running, alarms, one.partitions)


def _policy(one: _Policy, *, operator: bool = False) -> Policy:
    definition: Mapping[str, object] = one.definition
    return Policy(one.name, one.pattern, one.apply_to, one.priority, definition, operator)


def _binding(one: _Binding) -> Binding:
    return Binding(one.source, one.destination, one.routing_key, one.destination_type == "exchange")
