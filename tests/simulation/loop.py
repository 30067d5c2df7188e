"""The event loop of a simulation: several processes in one, virtual time, seeded order.

A node is a simulated process, known by a ContextVar. Which node takes the next step is a
seeded choice; within a node steps run first in, first out, as asyncio promises a process.
Invariant: what happens depends on the seed alone, so tasks, which asyncio keeps in sets, are
hashed by the order of their making and not by their address.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

#: Where steps run that belong to nobody's process: workload, faults, checks.
WORLD: Final = "world"
NODE: Final[ContextVar[str]] = ContextVar("node", default=WORLD)
#: What a step calls that takes its process down with it.
KILL: Final[ContextVar[Callable[[], None]]] = ContextVar("kill")
#: A seed that takes more steps than this does not come to rest.
STEPS_MAX: Final = 60_000
#: Waits in the `finally` blocks of one coroutine.
_CLOSES_MAX: Final = 20


class StuckError(Exception):
    """Nothing will ever happen again, or things never stop happening."""


class SeedOverError(BaseException):
    """Whatever a seed left unfinished may wait for nothing any more."""


class SimTask(asyncio.Task[T]):
    """A task whose place in a set does not depend on its address."""

    __slots__ = ("sequence",)
    sequence: int

    def __hash__(self) -> int:
        """Return the order of its making."""
        return self.sequence

    def __eq__(self, other: object) -> bool:
        """Return whether it is this very task."""
        return self is other


class SimLoop:
    """What asyncio needs of a loop, and power over its nodes.

    Not a subclass: nothing is inherited by chance.
    """

    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._me = cast("asyncio.AbstractEventLoop", self)
        self._queues: dict[str, deque[asyncio.Handle]] = {}
        #: Nodes with something to do, neither frozen nor gone.
        self._runnable: list[str] = []
        self._frozen: set[str] = set()
        self._gone: set[str] = set()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, str]] = []
        self._sequence = 0
        # A crashed node's tasks must not be collected: their `finally` blocks would run.
        self._tasks: list[SimTask[Any]] = []
        #: Nor must the generators of anybody, for the same reason.
        self._generators: list[AsyncGenerator[Any, Any]] = []
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._context = copy_context()
        #: Whether the seed has ended, so that nothing counts any more.
        self.over = False
        self.now_seconds = 0.0
        self.steps = 0
        #: What callbacks raised, which only a bug can cause.
        self.problems: list[str] = []

    # --- what asyncio calls ---------------------------------------------------

    def time(self) -> float:
        """Return virtual seconds."""
        return self.now_seconds

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def is_running(self) -> bool:
        """Return True."""
        return True

    def is_closed(self) -> bool:
        """Return False."""
        return False

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Queue a step of the node of *context*."""
        # An empty context is false.
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self._me, context)
        self._enqueue(context.get(NODE, WORLD), handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Queue a step for the virtual time *when*."""
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self._me, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle, context.get(NODE, WORLD)))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Queue a step for *delay* virtual seconds from now."""
        return self.call_at(self.now_seconds + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future, which nothing resolves once the seed is over."""
        self.check()
        return asyncio.Future(loop=self._me)

    def create_task(
        self, coroutine: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> SimTask[T]:
        """Return a task, known by its number from now on."""
        if self.over:
            coroutine.close()
        self.check()
        task: SimTask[T] = SimTask.__new__(SimTask)
        self._sequence += 1
        task.sequence = self._sequence
        # The default name is counted across seeds.
        SimTask.__init__(task, coroutine, loop=self._me, name=name or "task", context=context)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what a callback raised."""
        if not self.over and "handle" in context:
            self.problems.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when its time comes."""

    def check(self) -> None:
        """Raise if the seed is over: what is being closed must not wait."""
        if self.over:
            raise SeedOverError

    # --- power over nodes -----------------------------------------------------

    def let_kill(self, kill: Callable[[], None]) -> None:
        """Make *kill* what a step calls to take its process down."""
        self._context.run(KILL.set, kill)

    def spawn(self, node: str, coroutine: Coroutine[Any, Any, T]) -> SimTask[T]:
        """Run *coroutine* as a task of *node*."""
        context = self._context.copy()
        context.run(NODE.set, node)
        return self.create_task(coroutine, context=context)

    def call_as(self, node: str, delay_seconds: float, callback: Callable[[], object]) -> None:
        """Call *callback* as a step of *node* after *delay_seconds*."""
        context = self._context.copy()
        context.run(NODE.set, node)
        self.call_later(delay_seconds, callback, context=context)

    def crash(self, node: str) -> None:
        """Let none of *node*'s steps ever run again."""
        self._gone.add(node)
        self._queues.pop(node, None)
        if node in self._runnable:
            self._runnable.remove(node)

    def freeze(self, node: str) -> None:
        """Let none of *node*'s steps run until `thaw`."""
        self._frozen.add(node)
        if node in self._runnable:
            self._runnable.remove(node)

    def thaw(self, node: str) -> None:
        """Let *node* go on, with all that came to it meanwhile."""
        if node in self._frozen:
            self._frozen.discard(node)
            if self._queues.get(node):
                self._runnable.append(node)

    def is_gone(self, node: str) -> bool:
        """Return whether *node* has crashed."""
        return node in self._gone

    def is_frozen(self, node: str) -> bool:
        """Return whether *node* is frozen."""
        return node in self._frozen

    def at_step(self, step: int, action: Callable[[], None]) -> None:
        """Call *action* before the step number *step*."""
        self._sequence += 1
        heapq.heappush(self._alarms, (step, self._sequence, action))

    # --- running --------------------------------------------------------------

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until *coroutine* has ended, and return its result.

        Raises:
            StuckError: nothing is left to do, or it never ends.

        """
        asyncio._set_running_loop(self._me)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.append)
        try:
            main = self.spawn(WORLD, coroutine)
            while not main.done():
                self._step()
            return main.result()
        finally:
            self._end()
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)

    def _step(self) -> None:
        if self._alarms and self.steps >= self._alarms[0][0]:
            _, _, action = heapq.heappop(self._alarms)
            self._context.copy().run(action)
            return
        runnable = self._runnable
        if not runnable:
            self._advance()
            return
        i = int(self._random() * len(runnable))
        node = runnable[i]
        queue = self._queues[node]
        handle = queue.popleft()
        if not queue:
            runnable[i] = runnable[-1]
            runnable.pop()
        if handle._cancelled:
            return
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise StuckError(f"still busy after {STEPS_MAX} steps")
        handle._run()

    def _advance(self) -> None:
        timers = self._timers
        if not timers:
            raise StuckError("nothing is left to do")
        self.now_seconds = max(self.now_seconds, timers[0][0])
        while timers and timers[0][0] <= self.now_seconds:
            _, _, handle, node = heapq.heappop(timers)
            if not handle.cancelled():
                self._enqueue(node, handle)

    def _enqueue(self, node: str, handle: asyncio.Handle) -> None:
        if self.over or node in self._gone:
            return
        queue = self._queues.get(node)
        if queue is None:
            queue = self._queues[node] = deque()
        queue.append(handle)
        if len(queue) == 1 and node not in self._frozen:
            self._runnable.append(node)

    def _end(self) -> None:
        """Close what never ended, so that nothing of it runs into the next seed."""
        self.over = True
        with warnings.catch_warnings():
            # Their `finally` blocks make coroutines nobody will await.
            warnings.simplefilter("ignore", RuntimeWarning)
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined] # as asyncio's own loops do
                if task.done():
                    # Looked at, or asyncio reports it as never retrieved.
                    _ = task.cancelled() or task.exception()
                else:
                    _close(cast("Coroutine[Any, Any, Any]", task.get_coro()))
            for generator in self._generators:
                _close_generator(generator)
        self._generators.clear()
        self._queues.clear()
        self._timers.clear()
        self._alarms.clear()


def _close_generator(generator: AsyncGenerator[Any, Any]) -> None:
    closing = generator.aclose()
    with suppress(StopIteration, Exception, SeedOverError):
        closing.send(None)
    # Nothing answers what its `finally` blocks wait for.
    closing.close()


def _close(coroutine: Coroutine[Any, Any, Any]) -> None:
    for _ in range(_CLOSES_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            # It waits for something else now.
            continue
        except (Exception, SeedOverError):  # noqa: BLE001 - how it takes its end is nobody's concern any more
            return
        return
