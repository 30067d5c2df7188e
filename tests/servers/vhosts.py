"""Virtual hosts: an empty broker per test, in 20 ms, where a new server would take seconds."""

import base64
import http.client
import json
import secrets
from collections.abc import Collection
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import BaseModel, TypeAdapter

from tests.servers.process import ServerError

_ANSWER_SECONDS = 30
_DONE = {http.client.OK, http.client.CREATED, http.client.NO_CONTENT}
#: What closing a connection answers that was being closed already: it is gone, or just going.
_IS_GONE = {http.client.NOT_FOUND, http.client.INTERNAL_SERVER_ERROR}
_EVERYTHING = json.dumps({"configure": ".*", "write": ".*", "read": ".*"})


class _Queue(BaseModel):
    name: str
    vhost: str
    arguments: dict[str, object]
    type: str = ""

    @property
    def is_quorum(self) -> bool:
        return "quorum" in {self.type, self.arguments.get("x-queue-type")}


class _Definitions(BaseModel):
    queues: list[_Queue]


class _Connection(BaseModel):
    name: str


_CONNECTIONS = TypeAdapter(list[_Connection])


class VirtualHosts:
    """A broker's virtual hosts, through its management API."""

    def __init__(self, amqp_url: str, management_url: str) -> None:
        self.amqp_url = amqp_url
        amqp, management = urlsplit(amqp_url), urlsplit(management_url)
        self._host = management.hostname or "localhost"
        self._port = management.port or 15672
        self._user = unquote(amqp.username or "guest")
        credentials = f"{self._user}:{unquote(amqp.password or 'guest')}".encode()
        self._headers = {
            "authorization": f"Basic {base64.b64encode(credentials).decode()}",
            "content-type": "application/json",
        }

    def create(self) -> str:
        """Make an empty virtual host and return its AMQP URL.

        Raises:
            ServerError: the broker refused.
        """
        name = f"test-{secrets.token_hex(6)}"
        self._request("PUT", f"/api/vhosts/{name}", "{}")
        self._request("PUT", f"/api/permissions/{name}/{quote(self._user, safe='')}", _EVERYTHING)
        return urlunsplit(urlsplit(self.amqp_url)._replace(path=f"/{name}"))

    def delete(self, url: str) -> None:
        """Remove the virtual host of *url*, with its queues and connections.

        Raises:
            ServerError: the broker refused.
        """
        self._request("DELETE", f"/api/vhosts/{_path_of(url)}")

    def set_policy(self, url: str, name: str, pattern: str, **definition: int | str) -> None:
        """Set a policy for the queues of the virtual host of *url* whose names match *pattern*.

        Raises:
            ServerError: the broker refused.
        """
        settings = {name.replace("_", "-"): value for name, value in definition.items()}
        body = {"pattern": pattern, "definition": settings, "apply-to": "queues", "priority": 1}
        self._request("PUT", f"/api/policies/{_path_of(url)}/{name}", json.dumps(body))

    def close_connections(self, url: str) -> None:
        """Close, from the broker's side, the connections to *url* that its statistics know.

        They learn of a new connection after some seconds.

        Raises:
            ServerError: the broker refused.
        """
        listed = _CONNECTIONS.validate_json(self._request("GET", f"/api/vhosts/{_path_of(url)}/connections"))
        for connection in listed:
            path = f"/api/connections/{quote(connection.name, safe='')}"
            self._request("DELETE", path, also_fine=_IS_GONE)

    def quorum_queues(self) -> list[tuple[str, str]]:
        """Return virtual host and name of every quorum queue.

        Raises:
            ServerError: the broker refused.
        """
        definitions = _Definitions.model_validate_json(self._request("GET", "/api/definitions"))
        return [(queue.vhost, queue.name) for queue in definitions.queues if queue.is_quorum]

    def _request(
        self, verb: str, path: str, body: str | None = None, *, also_fine: Collection[int] = ()
    ) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS)
        try:
            connection.request(verb, path, body, self._headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status not in {*_DONE, *also_fine}:
            message = f"{verb} {path}: {response.status} {answer.decode(errors='replace')}"
            raise ServerError(message)
        return answer


def _path_of(url: str) -> str:
    """Return the virtual host of *url*, quoted as one segment of a path."""
    return quote(unquote(urlsplit(url).path.removeprefix("/")) or "/", safe="")
