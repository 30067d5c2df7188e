"""Exchanges and bindings of the in-process broker: where a message goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker_actors.core.errors import TopologyMismatchError
from broker_actors.core.topology import Binding, Exchange


class Exchanges:
    """The exchanges by name, with their bindings."""

    def __init__(self) -> None:
        self._exchanges: dict[str, Exchange] = {}
        self._bindings: dict[str, dict[Binding, None]] = {}

    def declare(self, exchange: Exchange) -> None:
        """Add *exchange*.

        Raises:
            TopologyMismatchError: it exists and is not the same.

        """
        existing = self._exchanges.setdefault(exchange.name, exchange)
        if existing != exchange:
            raise TopologyMismatchError(
                f"exchange {exchange.name} exists as {existing}, declared was {exchange}"
            )

    def bind(self, binding: Binding, queues: Mapping[str, object]) -> None:
        """Add *binding*.

        Raises:
            TopologyMismatchError: it refers to what does not exist.

        """
        targets = self._exchanges if binding.to_exchange else queues
        if binding.source not in self._exchanges or binding.target not in targets:
            raise TopologyMismatchError(f"{binding} refers to what does not exist")
        self._bindings.setdefault(binding.source, {})[binding] = None

    def unbind_queue(self, name: str) -> None:
        """Forget every binding to the queue *name*."""
        for bindings in self._bindings.values():
            for binding in [b for b in bindings if b.target == name and not b.to_exchange]:
                del bindings[binding]

    def route(self, exchange: str, key: str) -> list[str]:
        """Return the names of the queues a message reaches, each once, in a stable order."""
        found: dict[str, None] = {}
        visited: dict[str, None] = {}
        todo = [exchange]
        while todo:
            name = todo.pop(0)
            if name in visited or name not in self._exchanges:
                continue
            visited[name] = None
            matching = list(self._matching(self._exchanges[name], key))
            if not matching and self._exchanges[name].alternate:
                todo.append(self._exchanges[name].alternate)
            todo.extend(binding.target for binding in matching if binding.to_exchange)
            found.update((binding.target, None) for binding in matching if not binding.to_exchange)
        return list(found)

    def _matching(self, exchange: Exchange, key: str) -> Iterable[Binding]:
        for binding in self._bindings.get(exchange.name, ()):
            match exchange.kind:
                case "fanout":
                    yield binding
                case "topic":
                    if topic_matches(binding.key.split("."), key.split(".")):
                        yield binding
                case _:
                    if binding.key == key:
                        yield binding


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """Return whether *words* match *pattern*: `*` is one word, `#` any number of them."""
    # Which prefixes of the words the pattern has matched so far: linear, where recursion would not be.
    reached = {0}
    for part in pattern:
        if part == "#":
            reached = set(range(min(reached), len(words) + 1)) if reached else reached
        else:
            reached = {n + 1 for n in reached if n < len(words) and part in ("*", words[n])}
    return len(words) in reached
