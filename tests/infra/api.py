"""Calls to a broker's management API, as one of its users."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.request import Request, urlopen

_ANSWER_SECONDS = 30


def get_list(port: int, user: str, path: str) -> list[dict[str, object]]:
    """Return the list at *path*; *user* is a name and a password with a colon between them."""
    found: list[dict[str, object]] = json.loads(_answer(port, user, path))
    return found


def post(port: int, user: str, path: str, body: bytes) -> None:
    """Send *body* to *path*."""
    _answer(port, user, path, body)


def _answer(port: int, user: str, path: str, body: bytes | None = None) -> bytes:
    headers = {
        "authorization": f"Basic {b64encode(user.encode()).decode()}",
        "content-type": "application/json",
    }
    request = Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - the same
        content: bytes = answer.read()
    return content
