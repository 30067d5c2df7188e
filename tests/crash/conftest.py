"""Starting a broker or an interpreter takes longer than most deaths, so the cases share both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.worker import Ward
from tests.servers import VirtualHosts


class Shelf:
    """The broker of the last case, if that left it empty; a new one otherwise."""

    def __init__(self, vhosts: VirtualHosts) -> None:
        self._vhosts = vhosts
        self._urls: list[str] = []
        self._is_empty = False

    def take(self) -> str:
        """Return the URL of an empty broker."""
        if not self._is_empty:
            self._urls.append(self._vhosts.create())
        self._is_empty = False
        return self._urls[-1]

    def give_back(self) -> None:
        """Take note that nothing is left in it."""
        self._is_empty = True

    def close(self) -> None:
        """Remove the brokers."""
        for url in self._urls:
            self._vhosts.delete(url)


@pytest.fixture(scope="module")
def shelf(vhosts: VirtualHosts) -> Iterator[Shelf]:
    shelf = Shelf(vhosts)
    yield shelf
    shelf.close()


@pytest.fixture(scope="module")
def ward() -> Iterator[Ward]:
    ward = Ward()
    yield ward
    ward.close()
