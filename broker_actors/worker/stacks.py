"""Where code is right now: the stack of a thread, and the awaits of a suspended coroutine.

Reads only, and from any thread: what it shows of code that runs on meanwhile may be a
moment old.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Final, cast

#: Frames of one stack that are shown, the innermost; more are an endless recursion.
FRAMES_MAX: Final = 100
#: Awaits that are followed, also across the tasks that a turn has started.
AWAITS_MAX: Final = 200

#: What holds what a suspended coroutine, async generator or generator waits for.
_AWAITING: Final = (("cr_frame", "cr_await"), ("ag_frame", "ag_await"), ("gi_frame", "gi_yieldfrom"))


def thread_frames(ident: int, below: FrameType | None = None) -> list[FrameType]:
    """Return the frames of the thread *ident*, outermost first.

    Args:
        ident: which thread, as `threading.get_ident` names it.
        below: show what this frame has run into, itself included; all by default.

    """
    frames: list[FrameType] = []
    # Documented, despite its name, and the only way to the stack of another thread.
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - see above  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        frames.append(frame)
        if frame is below:
            break
        frame = frame.f_back
    return frames[::-1]


def awaited_frames(task: asyncio.Task[object]) -> list[FrameType]:
    """Return the frames through which the suspended *task* awaits, outermost first.

    Where it waits for other tasks (gather, wait_for), theirs follow.
    """
    return [frame for frame, _steps in zip(_walk(task), range(AWAITS_MAX), strict=False)]


def outermost_frame(task: asyncio.Task[object]) -> FrameType | None:
    """Return the frame of the coroutine that *task* runs; None once it has ended."""
    frame: FrameType | None = getattr(task.get_coro(), "cr_frame", None)
    return frame


def as_lines(frames: Sequence[FrameType]) -> list[str]:
    """Return *frames* as a traceback shows them, two lines each."""
    # Lines a running frame is in cannot be had from the frame after it has moved on: read them once.
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[-FRAMES_MAX:])
    return [line for entry in summary.format() for line in entry.rstrip("\n").split("\n")]


def _walk(awaited: object) -> Iterator[FrameType]:
    todo = [awaited]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        if asyncio.isfuture(here):
            # A task goes on with its coroutine, and with the future it waits for; a gather with its children.
            todo += reversed(getattr(here, "_children", ()))
            todo += (getattr(here, "_fut_waiter", None), _coroutine_of(here))
            continue
        for frame_name, next_name in _AWAITING:
            frame = inspect.getattr_static(here, frame_name, None) and getattr(here, frame_name)
            if isinstance(frame, FrameType):
                yield frame
                todo += _waited_for(frame)
                todo.append(getattr(here, next_name))


def _waited_for(frame: FrameType) -> list[object]:
    """Return the tasks that asyncio waits for in *frame*, by a future that does not lead to them."""
    if not str(frame.f_globals.get("__name__", "")).startswith("asyncio."):
        return []
    found: list[object] = []
    for value in frame.f_locals.values():
        # `wait_for` has a future, `wait` a set of them, a task group its own.
        held: object = getattr(value, "_tasks", ()) if isinstance(value, asyncio.TaskGroup) else value
        several = (
            tuple(cast("Iterable[object]", held))
            if isinstance(held, set | frozenset | list | tuple)
            else (held,)
        )
        found += [one for one in several if isinstance(one, asyncio.Task)]
    return found


def _coroutine_of(future: object) -> object:
    return cast("asyncio.Task[object]", future).get_coro() if isinstance(future, asyncio.Task) else None
