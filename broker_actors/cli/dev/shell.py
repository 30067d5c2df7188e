"""What can be typed at the prompt: calls, as on the command line."""

from __future__ import annotations

import asyncio
import inspect
import json
import shlex
from collections.abc import Sequence

from broker_actors.actor.handle import target_of
from broker_actors.actor.spec import ActorSpec
from broker_actors.actor.untyped import UntypedRemote
from broker_actors.bootstrap.system import ActorSystem
from broker_actors.cli import arguments, running
from broker_actors.cli.output import ERR, OUT, jsonable, printable
from broker_actors.core.address import check_id
from broker_actors.core.errors import BrokerActorsError, ConfigurationError, Plain

USAGE = """\
ask TYPE ID METHOD [ARG|NAME=ARG]...   call a method and print what it answers
tell TYPE ID METHOD [ARG|NAME=ARG]...  send the call one way
stream TYPE ID METHOD [ARG|NAME=ARG]... print what a generator yields, a line each
help                                   this, and what there is to call
quit                                   stop (so does Ctrl-D; Ctrl-C ends a call that runs, or else stops, too)
Arguments are JSON, or text if they are not: 5, true, '[1, 2]', hello, sku=tea."""


class Shell:
    """Carries out lines."""

    def __init__(self, system: ActorSystem, specs: Sequence[ActorSpec]) -> None:
        self._system = system
        self._specs = {spec.type: spec for spec in specs}
        #: The line that is carried out now.
        self._current: asyncio.Task[bool] | None = None
        self._was_given_up = False

    async def run(self, line: str) -> bool:
        """Carry out *line*; return whether to go on. What is wrong is printed, in one line."""
        self._was_given_up = False
        self._current = asyncio.create_task(self._carry_out(line))
        try:
            return await self._current
        except asyncio.CancelledError:
            if not self._was_given_up:
                raise
            _complain("interrupted")
            return True
        finally:
            self._current = None

    def give_up(self) -> bool:
        """End the call that is under way, and the turn it waits for; return whether there was one."""
        if self._current is None:
            return False
        self._was_given_up = True
        self._current.cancel()
        return True

    async def _carry_out(self, line: str) -> bool:
        try:
            match shlex.split(line, comments=True):
                case ["quit" | "exit"]:
                    return False
                case ["help"]:
                    self._help()
                case ["ask" | "tell" | "stream" as verb, actor_type, actor_id, method, *words]:
                    await self._call(verb, (actor_type, actor_id, method), words)
                case ["ask" | "tell" | "stream" as verb, *_]:
                    raise ConfigurationError(f"{verb} takes TYPE ID METHOD and arguments")
                case words:
                    if words:
                        raise ConfigurationError(f"{words[0]!r} is none of ask, tell, stream, help, quit")
        except BrokerActorsError as error:
            _complain(running.in_one_line(error))
        except ValueError as error:
            # Quotes that are not closed.
            _complain(str(error))
        return True

    async def _call(self, verb: str, target: tuple[str, str, str], words: Sequence[str]) -> None:
        actor_type, actor_id, method = target
        self._check(actor_type, method)
        ref = self._system.ref(actor_type, check_id(actor_id))
        args, kwargs = arguments.parse(words)
        if verb == "tell":
            # Not `getattr(ref, method)`: the actor may well have a method called `address`.
            await UntypedRemote(method, target_of(ref)).tell(*args, **kwargs)
            return
        if verb == "stream":
            async for value in UntypedRemote(method, target_of(ref)).stream(*args, **kwargs):
                _show(value)
            return
        _show(await ref.call(method, *args, **kwargs))

    def _check(self, actor_type: str, method: str) -> None:
        """Refuse what no worker knows: in a deployment it would wait for one that does."""
        spec = self._specs.get(actor_type)
        if spec is None:
            raise ConfigurationError(f"no actor type {actor_type!r}: there is {', '.join(self._specs)}")
        if method not in spec.methods:
            raise ConfigurationError(
                f"{actor_type} has no method {method!r}: it has {', '.join(spec.methods)}"
            )

    def _help(self) -> None:
        OUT.print(USAGE)
        for spec in self._specs.values():
            OUT.print(f"\n{spec.type}")
            for name, method in spec.methods.items():
                parameters = list(inspect.signature(method.function).parameters.values())[1:]
                OUT.print(f"  {name}({', '.join(str(parameter) for parameter in parameters)})")


def _show(value: Plain) -> None:
    plain = jsonable(value)
    OUT.out(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False), highlight=False)


def _complain(text: str) -> None:
    ERR.print(f"error: {printable(text)}", style="red")
