"""A service that fetches over HTTP: `broker-actors worker workers.fetcher`. Needs the extra `examples`.

What it shows: an async method, whose worker serves other actors meanwhile; a timeout; faults
that are tried again, beside refusals that are not; a bounded result; a cache that is nothing
but state. An actor runs one message at a time, so a hundred asks for one page cost one fetch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from broker_actors import BusinessError, Ref, Retry, SystemFaultError, actor, method

#: Of one attempt. All four, with their waits, fit into the 30 seconds an ask has by default.
TIMEOUT_SECONDS: Final = 5.0
RETRY: Final = Retry(attempts=4, min_backoff=0.2, max_backoff=2.0)
#: A state holds 1 MiB, and a byte that is no text becomes three.
BODY_BYTES_MAX: Final = 256 * 1024
CHUNK_BYTES: Final = 16 * 1024
#: Client errors that pass.
PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True)
class Page:
    """What a server answered.

    Attributes:
        url: what was asked for.
        content_type: as in `text/html`.
        text: the body.
        etag: the server's name for this version of the page; empty if it gives none.

    """

    url: str
    content_type: str
    text: str
    etag: str = ""


@actor(retry=RETRY)
class Fetcher:
    """One page, fetched when it is wanted; the id is a name for it that its readers share."""

    page: Page | None = None
    checked_at: float = 0.0  # Unix seconds

    @method
    async def fetch(self, url: str, max_age: float = 60.0) -> Page:
        """Return the page at *url* as it was at most *max_age* seconds ago.

        Raises:
            BusinessError: `bad_url`, `too_large`, or `http_404` and its like.
            SystemFaultError: the server fails, or cannot be reached, in all attempts.

        """
        page = self.page if self.page is not None and self.page.url == url else None
        if page is None or time.time() - self.checked_at >= max_age:
            self.page = page = await _get(url, page)
            self.checked_at = time.time()
        return page


class FetcherRef(Fetcher, Ref):
    """A typed handle on a page."""


async def _get(url: str, known: Page | None) -> Page:
    """Return the page at *url*: *known*, if the server says that this is still the one."""
    headers = {"If-None-Match": known.etag} if known is not None and known.etag else {}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        # A session per fetch: an instance whose turn failed is dropped, and would leave its session open.
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers) as answer,
        ):
            if known is not None and answer.status == HTTPStatus.NOT_MODIFIED:
                return known
            _check(url, answer.status)
            text = (await _body(answer)).decode(answer.charset or "utf-8", errors="replace")
            return Page(url, answer.content_type, text, answer.headers.get("ETag", ""))
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise BusinessError("bad_url", f"{url!r} is no http or https URL") from error


def _check(url: str, status: int) -> None:
    """Raise what *status* means: the server's fault is tried again, the caller's is answered."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        raise SystemFaultError(f"{url} answers {status}")
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise BusinessError(f"http_{status}", f"{url} answers {status}", {"status": status})


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BusinessError("too_large", f"{answer.url} has more than {BODY_BYTES_MAX} bytes")
    return bytes(body)
