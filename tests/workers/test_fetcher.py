"""The fetcher, against a real HTTP server: what is tried again, what is refused, what is not asked for."""

from __future__ import annotations

import asyncio
import runpy
import socket
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import pytest

from broker_actors import BusinessError, SystemFaultError
from broker_actors.testing import ActorKit, actor_test
from tests.workers.shell import HANG_SECONDS, ROOT
from tests.workers.site import Site, site
from workers import fetcher
from workers.fetcher import Fetcher, FetcherRef, Page


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as server:
        yield server


@pytest.fixture
async def kit() -> AsyncIterator[ActorKit]:
    async with actor_test(Fetcher) as kit:
        yield kit


@pytest.fixture
def news(kit: ActorKit) -> FetcherRef:
    return kit.ref(FetcherRef, "news")


async def test_a_page_arrives_decoded_as_its_server_says(web: Site, news: FetcherRef) -> None:
    page = Page(f"{web.url}/page", "text/plain", "grüße", '"v1"')
    assert await news.fetch(f"{web.url}/page") == page


async def test_a_redirect_is_followed_and_remembered_under_what_was_asked(
    web: Site, news: FetcherRef
) -> None:
    page = await news.fetch(f"{web.url}/moved")
    assert (page.url, page.text) == (f"{web.url}/moved", "grüße")


async def test_a_young_page_is_not_asked_for_again_not_even_by_another_worker(
    web: Site, kit: ActorKit, news: FetcherRef
) -> None:
    page = await news.fetch(f"{web.url}/page")
    await kit.restart()
    assert await news.fetch(f"{web.url}/page") == page
    assert web.requests["/page"] == 1


async def test_asks_at_one_time_cost_one_fetch(web: Site, news: FetcherRef) -> None:
    pages = await asyncio.gather(*(news.fetch(f"{web.url}/page") for _ in range(10)))
    assert {page.text for page in pages} == {"grüße"}
    assert web.requests["/page"] == 1


async def test_an_old_page_is_checked_by_its_etag_and_is_young_again(
    web: Site, news: FetcherRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_seconds = 1000.0
    monkeypatch.setattr(fetcher, "time", SimpleNamespace(time=lambda: now_seconds))
    page = await news.fetch(f"{web.url}/page")
    for now_seconds, requests in ((1059.0, 1), (1060.0, 2), (1119.0, 2)):  # noqa: B007 - read by the clock
        assert await news.fetch(f"{web.url}/page") == page
        assert (web.requests["/page"], web.unchanged) == (requests, requests - 1)


async def test_another_address_is_another_page(web: Site, news: FetcherRef) -> None:
    await news.fetch(f"{web.url}/page")
    assert (await news.fetch(f"{web.url}/200")).text == "ok"
    assert (await news.fetch(f"{web.url}/page")).text == "grüße"


@pytest.mark.parametrize(("path", "attempts"), [("flaky", 3), ("busy", 2)])
async def test_a_server_that_fails_is_tried_again(
    path: str, attempts: int, web: Site, kit: ActorKit, news: FetcherRef
) -> None:
    assert (await news.fetch(f"{web.url}/{path}")).text == "ok"
    assert [turn.attempt for turn in kit.turns] == [attempts] == [web.requests[f"/{path}"]]


async def test_a_server_that_goes_on_failing_is_a_fault_and_keeps_the_old_page(
    web: Site, news: FetcherRef
) -> None:
    await news.fetch(f"{web.url}/page")
    with pytest.raises(SystemFaultError, match="/500 answers 500"):
        await news.fetch(f"{web.url}/500")
    assert web.requests["/500"] == fetcher.RETRY.attempts
    await news.fetch(f"{web.url}/page")
    assert web.requests["/page"] == 1


async def test_a_port_where_nobody_listens_is_tried_again(kit: ActorKit, news: FetcherRef) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SystemFaultError, match="Cannot connect to host"):
            await news.fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert [turn.attempt for turn in kit.turns] == [fetcher.RETRY.attempts]


async def test_a_server_that_hangs_is_left_and_tried_again(
    web: Site, kit: ActorKit, news: FetcherRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "TIMEOUT_SECONDS", 0.5)
    assert (await news.fetch(f"{web.url}/hangs")).text == "ok"
    assert web.requests["/hangs"] > 1
    assert kit.turns[-1].attempt == web.requests["/hangs"]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
async def test_what_the_caller_did_wrong_is_answered_at_once(
    status: int, web: Site, news: FetcherRef
) -> None:
    with pytest.raises(BusinessError, match=f"/{status} answers {status}") as caught:
        await news.fetch(f"{web.url}/{status}")
    assert (caught.value.code, caught.value.details) == (f"http_{status}", {"status": status})
    assert web.requests[f"/{status}"] == 1


@pytest.mark.parametrize("url", ["", "news", "ftp://127.0.0.1/", "http://", "file:///etc/passwd"])
async def test_what_is_no_http_address_is_refused(url: str, kit: ActorKit, news: FetcherRef) -> None:
    with pytest.raises(BusinessError) as caught:
        await news.fetch(url)
    assert caught.value.code == "bad_url"
    assert [turn.attempt for turn in kit.turns] == [1]


async def test_a_body_without_end_is_left_at_its_bound(web: Site, news: FetcherRef) -> None:
    with pytest.raises(BusinessError, match=f"more than {fetcher.BODY_BYTES_MAX} bytes") as caught:
        await news.fetch(f"{web.url}/endless")
    assert caught.value.code == "too_large"
    # Set by the server when its client went away.
    assert await asyncio.to_thread(web.release.wait, HANG_SECONDS)


async def test_another_service_reads_through_the_contract_of_the_page(web: Site, kit: ActorKit) -> None:
    contract = runpy.run_path(str(ROOT / "docs/examples/fetcher/fetcher_contract.py"))
    news = kit.system.ref(contract["FetcherContract"], "news")
    assert await news.fetch(f"{web.url}/page", max_age=0) == contract["Fetched"](f"{web.url}/page", "grüße")


async def test_while_one_page_is_awaited_others_are_served(
    web: Site, kit: ActorKit, news: FetcherRef
) -> None:
    waiting = asyncio.create_task(news.fetch(f"{web.url}/held"))
    assert await asyncio.to_thread(web.held.wait, HANG_SECONDS)
    assert (await kit.ref(FetcherRef, "weather").fetch(f"{web.url}/page")).text == "grüße"
    assert not waiting.done()
    web.release.set()
    assert (await waiting).text == "ok"
