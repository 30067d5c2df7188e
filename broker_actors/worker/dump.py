"""What a worker does at this moment, as text for a person: each turn with its stack.

Invariant: it can be made from any thread and inside a signal handler, also while a method
blocks the event loop: it takes no lock, waits for nothing and changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic, time
from types import FrameType
from typing import Final, Protocol, TypeVar

from broker_actors.core.address import Address
from broker_actors.runtime.running import Running
from broker_actors.worker.pulse import Pulse
from broker_actors.worker.stacks import as_lines, awaited_frames, outermost_frame, thread_frames
from broker_actors.worker.status import Status

#: Turns, and lanes without a running turn, that are shown; of the rest the number.
ENTRIES_MAX: Final = 1_000
THREADS_MAX: Final = 100
#: What is less is how a busy loop is.
HELD_SECONDS_MIN: Final = 0.1
#: How the names of our own threads begin, which are of no interest.
OWN_THREADS: Final = "broker-actors-"
#: How often a snapshot is taken again that the loop has changed under our eyes.
_SNAPSHOTS_MAX: Final = 20

T = TypeVar("T")


class Subject(Protocol):
    """What is looked at: a worker."""

    @property
    def turns(self) -> list[Running]:
        """The turns that run, the oldest first."""
        ...

    @property
    def waiting(self) -> Mapping[Address, int]:
        """How many deliveries wait in each lane that has any."""
        ...

    @property
    def slow(self) -> Mapping[str, int]:
        """How often each method has held up the event loop, the most frequent first."""
        ...

    def status(self) -> Status:
        """Return whether it does its work. From any thread."""
        ...


def dump(subject: Subject | None, pulse: Pulse, interrupted: FrameType | None = None) -> str:
    """Return what *subject* does now.

    Args:
        subject: the worker; None while it starts.
        pulse: of the loop it runs on.
        interrupted: for a signal handler in the thread of the loop, the frame it has interrupted.

    """
    return "\n".join((*_lines(subject, pulse, interrupted), ""))


def blocker(subject: Subject | None, pulse: Pulse) -> str:
    """Return which turn holds the loop, for one line; empty if none does."""
    task = _current(pulse)
    turns = [] if subject is None else snapshot(lambda: subject.turns)
    return next((title(turn) for turn in turns if turn.task is task), "")


def title(turn: Running) -> str:
    """Return what *turn* runs: actor, method, message, attempt."""
    envelope = turn.arrival.envelope
    return f"{envelope.address}.{envelope.method} {envelope.identity!r} attempt {envelope.attempt}"


def snapshot(take: Callable[[], T]) -> T:
    """Return what *take* returns, though the loop may change what it walks over.

    Raises:
        RuntimeError: it was changed each time.

    """
    for _ in range(_SNAPSHOTS_MAX):
        try:
            return take()
        except RuntimeError:
            continue
    return take()


def _lines(subject: Subject | None, pulse: Pulse, interrupted: FrameType | None) -> Iterator[str]:
    when = datetime.fromtimestamp(time(), UTC).isoformat(timespec="seconds")
    yield f"worker process {os.getpid()} at {when}"
    held = pulse.held_seconds
    is_held = held > HELD_SECONDS_MIN
    yield f"event loop: held up for {held:.1f} s" if is_held else "event loop: turns"
    current, frames = _current(pulse), _loop_frames(pulse, interrupted)
    if subject is None:
        yield "the worker is starting or has stopped"
    else:
        status = subject.status()
        yield "ready" if status.ready else f"not ready: {'; '.join(status.reasons)}"
        turns, waiting = snapshot(lambda: (subject.turns, dict(subject.waiting)))
        yield f"{len(turns)} turns run, {sum(waiting.values())} deliveries wait in {len(waiting)} lanes"
        if slow := [
            f"{method} {count} times" for method, count in snapshot(lambda: dict(subject.slow)).items()
        ]:
            yield f"held up the event loop so far: {', '.join(slow[:ENTRIES_MAX])}"
        yield from _turns(turns, waiting, current, frames)
        yield from _lanes(turns, waiting)
        if any(turn.task is current for turn in turns):
            frames = []
    if frames and is_held:
        yield from ("", "what holds the event loop:", *as_lines(frames))
    yield from _threads(pulse)


def _turns(
    turns: Sequence[Running],
    waiting: Mapping[Address, int],
    current: asyncio.Task[object] | None,
    frames: Sequence[FrameType],
) -> Iterator[str]:
    now_seconds = monotonic()
    for turn in turns[:ENTRIES_MAX]:
        behind = waiting.get(turn.arrival.envelope.address, 0)
        age = f"for {now_seconds - turn.since_seconds:.1f} s"
        runs = f"holds the event loop, {age}" if turn.task is current else f"awaits, {age}"
        yield from ("", f"{title(turn)}: {runs}, {behind} wait behind it")
        yield from as_lines(_below(frames, turn.task) if turn.task is current else awaited_frames(turn.task))
    if len(turns) > ENTRIES_MAX:
        yield from ("", f"and {len(turns) - ENTRIES_MAX} turns more")


def _lanes(turns: Sequence[Running], waiting: Mapping[Address, int]) -> Iterator[str]:
    running = {turn.arrival.envelope.address for turn in turns}
    idle = [(address, count) for address, count in waiting.items() if address not in running]
    if idle:
        yield from ("", "lanes whose next turn has not begun:")
    for address, count in idle[:ENTRIES_MAX]:
        yield f"  {address}: {count} wait"
    if len(idle) > ENTRIES_MAX:
        yield f"  and {len(idle) - ENTRIES_MAX} lanes more"


def _threads(pulse: Pulse) -> Iterator[str]:
    """Yield the threads of others: methods that run in one are there, not in their task."""
    others = {pulse.thread, threading.get_ident()}
    threads = [one for one in threading.enumerate() if not one.name.startswith(OWN_THREADS)]
    for thread in [one for one in threads if one.ident not in others][:THREADS_MAX]:
        yield from ("", f"thread {thread.name}:", *as_lines(thread_frames(thread.ident or 0)))


def _current(pulse: Pulse) -> asyncio.Task[object] | None:
    return None if pulse.loop is None else asyncio.current_task(pulse.loop)


def _loop_frames(pulse: Pulse, interrupted: FrameType | None) -> list[FrameType]:
    """Return the stack of the loop's thread, without the signal handler that asks."""
    frames = thread_frames(pulse.thread)
    if interrupted in frames:
        return frames[: frames.index(interrupted) + 1]
    return frames


def _below(frames: Sequence[FrameType], task: asyncio.Task[object]) -> Sequence[FrameType]:
    """Return the part of *frames* that is the task's: how the loop came to it says nothing."""
    first = outermost_frame(task)
    return frames[frames.index(first) :] if first in frames else frames
