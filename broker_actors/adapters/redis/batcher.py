"""Commands of many callers to one server, or to the nodes of a cluster.

A server that is none of several is never asked who else there is. One that is says so when
it is asked for a key it does not have; from then on each command goes to who has its key.
Nodes come, go and change places: whatever was not answered by the right one is asked again,
until its caller stops waiting, so every command must be safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Final

from redis.exceptions import AskError, MovedError, RedisError
from tenacity import AsyncRetrying, retry_if_result, wait_random_exponential

from broker_actors.adapters.redis.answers import to_bytes
from broker_actors.adapters.redis.connection import Answer, Arg, pack
from broker_actors.adapters.redis.node import BACKOFF_FIRST_SECONDS, BACKOFF_LAST_SECONDS, Node
from broker_actors.adapters.redis.queue import Command
from broker_actors.adapters.redis.script import Script
from broker_actors.adapters.redis.settings import Place, RedisSettings
from broker_actors.adapters.redis.slots import Slots, is_again, place_in
from broker_actors.core.errors import StoreUnavailableError
from broker_actors.ports.observer import Observer

_ASKING: Final = Command(pack("ASKING"))
_WHO: Final = Command(pack("CLUSTER", "SLOTS"))
#: What is said to no node in particular.
_KEYLESS: Final = frozenset({"PING", "ECHO", "TIME"})


class Batcher:
    """Runs commands that are safe to repeat; those of one key in the order in which they were asked."""

    def __init__(self, settings: RedisSettings, observer: Observer, purpose: str) -> None:
        self._settings = settings
        self._observer = observer
        self._purpose = purpose
        #: Who is asked what has no key; and everything, as long as nobody says otherwise.
        self._home = Node(settings, observer, purpose)
        self._home.persists = not settings.seeds
        #: As many as the cluster ever had, or the URL names.
        self._nodes: dict[Place, Node] = {} if self._home.place is None else {self._home.place: self._home}
        self._slots = Slots()
        self._looking = asyncio.Lock()
        #: How often it was found out who has what.
        self._looked = 0
        self._closed = False

    def place_of(self, key: str) -> Place | None:
        """Return the node that has *key*; None if there is only one server, as far as is known."""
        return self._slots.of(key)

    async def reach(self) -> None:
        """Return as soon as Redis answers; give up the connections if it does not.

        Raises:
            StoreUnavailableError: no answer within the deadline, or Redis refuses us.

        """
        try:
            to_bytes(await self.call("PING"))
        except BaseException:
            await self.close()
            raise

    async def call(self, *args: Arg) -> Answer:
        """Run one command and return its answer, an error of the server included.

        Raises:
            StoreUnavailableError: no answer within the deadline; it may have happened.

        """
        return await self._ask_one(pack(*args), None, _key(args))

    async def call_all(self, commands: Sequence[tuple[Arg, ...]]) -> list[Answer]:
        """Run *commands* and return their answers, in order; raises what `call` raises."""
        return await self._ask([Command(pack(*args), key=_key(args)) for args in commands])

    async def call_everywhere(self, commands: Sequence[tuple[Arg, ...]]) -> list[list[Answer]]:
        """Run *commands* on the only server, or on each node that has keys; raises what `call` raises.

        Returns:
            The answers of each. What a node did not answer is an error in its place.

        """
        nodes = [self._at(place) for place in self._slots.places] or [self._home]
        packed = [Command(pack(*args)) for args in commands]
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                found = await asyncio.gather(*(node.ask(packed) for node in nodes))
                if any(is_again(answer) for answers in found for answer in answers):
                    # It may be gone for good, and nobody else asks it for anything.
                    await self.learn()
                return found
        except TimeoutError as error:
            raise self._unanswered() from error

    @property
    def is_cluster(self) -> bool:
        """Whether there are several servers, as far as is known."""
        return bool(self._slots)

    async def learn(self) -> None:
        """Find out which nodes a cluster has, of whoever answers; the caller sets the deadline."""
        self._home.persists = False
        async with self._looking:
            await self._look()

    def run(self, script: Script, keys: Sequence[str], *args: Arg) -> Coroutine[None, None, Answer]:
        """Run *script* and return its answer; raises what `call` raises."""
        return self._ask_one(script.call(keys, args), script, keys[0])

    async def close(self) -> None:
        """Stop, fail whoever waits, give up the connections. Idempotent."""
        self._closed = True
        await asyncio.gather(*(node.close() for node in {self._home, *self._nodes.values()}))

    async def _ask_one(self, packed: bytes, script: Script | None, key: str | None) -> Answer:
        if not self._slots and (asked := self._home.ask_one(packed, script)) is not None:
            try:
                answer = await asked
            except TimeoutError as error:
                raise self._unanswered() from error
            if not is_again(answer):
                return answer
        return (await self._ask([Command(packed, script, key)]))[0]

    async def _ask(self, commands: Sequence[Command]) -> list[Answer]:
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                answers = await self._round(commands)
                if any(is_again(answer) for answer in answers):
                    await self._go_on(commands, answers)
                return answers
        except TimeoutError as error:
            raise self._unanswered() from error

    def _unanswered(self) -> StoreUnavailableError:
        trouble = next((node.trouble for node in self._nodes.values() if node.trouble), "")
        trouble = self._home.trouble or trouble
        return StoreUnavailableError(
            f"no answer from {self._home.server} within {self._settings.deadline_seconds:g} s"
            f"{f' ({trouble})' if trouble else ''}: is it running and reachable?"
        )

    async def _round(self, commands: Sequence[Command]) -> list[Answer]:
        """Ask each of *commands* of whoever has its key."""
        if not self._slots:
            return await self._home.ask(commands)
        groups: dict[Node, list[int]] = {}
        for n, command in enumerate(commands):
            groups.setdefault(self._node_of(command), []).append(n)
        found = await asyncio.gather(
            *(node.ask([commands[n] for n in group]) for node, group in groups.items())
        )
        by_place = {
            n: answer
            for group, answers in zip(groups.values(), found, strict=True)
            for n, answer in zip(group, answers, strict=True)
        }
        return [by_place[n] for n in range(len(commands))]

    async def _go_on(self, commands: Sequence[Command], answers: list[Answer]) -> None:
        """Ask again until nothing is to be asked again; the caller sets the deadline."""

        async def again() -> bool:
            pending = [n for n, answer in enumerate(answers) if is_again(answer)]
            await self._learn([answers[n] for n in pending])
            redirected = self._redirected(pending, answers)
            others = [n for n in pending if n not in redirected]
            for n, answer in zip(others, await self._round([commands[n] for n in others]), strict=True):
                answers[n] = answer
            for n, place in redirected.items():
                _, answers[n] = await self._at(place).ask([_ASKING, commands[n]])
            return not any(is_again(answer) for answer in answers)

        await AsyncRetrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait_random_exponential(multiplier=BACKOFF_FIRST_SECONDS, max=BACKOFF_LAST_SECONDS),
        )(again)

    def _redirected(self, pending: Sequence[int], answers: Sequence[Answer]) -> dict[int, Place]:
        """Return what is to be asked once, with leave, of the node to which its slot is on its way."""
        home = self._home.place
        return {
            n: place_in(answer, home)
            for n in pending
            if isinstance(answer := answers[n], AskError) and not isinstance(answer, MovedError)
        }

    async def _learn(self, answers: Sequence[Answer]) -> None:
        """Find out who has what, unless all that is known is that it is on its way."""
        looked = self._looked
        self._home.persists = False
        moved = [answer for answer in answers if isinstance(answer, MovedError)]
        for error in moved:
            self._slots.moved(error, self._home.place)
        if len(self._redirected(range(len(answers)), answers)) == len(answers):
            return
        async with self._looking:
            if looked == self._looked:
                await self._look()

    async def _look(self) -> None:
        places = (*self._slots.places, *self._settings.seeds)
        for node in dict.fromkeys((self._home, *map(self._at, places))):
            (answer,) = await node.ask([_WHO])
            if not isinstance(answer, RedisError):
                self._slots.replace(answer, node.place)
                self._home = node
                self._looked += 1
                return

    def _node_of(self, command: Command) -> Node:
        place = None if command.key is None else self._slots.of(command.key)
        return self._home if place is None else self._at(place)

    def _at(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            if self._closed:
                raise StoreUnavailableError(f"the connection to {self._home.server} was closed")
            node = self._nodes[place] = Node(self._settings, self._observer, self._purpose, place)
            node.persists = False
        return node


def _key(args: tuple[Arg, ...]) -> str | None:
    return None if args[0] in _KEYLESS else str(args[1])
