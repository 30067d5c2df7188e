"""The command `demo` and what it prints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import typer

from broker_actors.bootstrap.system import ActorSystem
from broker_actors.cli import running
from broker_actors.cli.demo import story
from broker_actors.cli.demo.playing import Outcome, play
from broker_actors.cli.options import Amqp, AsJson, Redis
from broker_actors.cli.output import OUT, Code, show_json, show_table
from broker_actors.core.errors import QUOTING, ConfigurationError


def demo(amqp: Amqp = None, redis: Redis = None, *, as_json: AsJson = False) -> None:
    """Play an order-processing story and check what it shows.

    Without --amqp it needs no server: everything runs inside this process. With it the
    same story runs on your servers, as often as you like: each run has actors of its own,
    of the types DemoOrder, DemoInventory, DemoPayment and DemoNotifier, and takes only its
    own dead letter out of their queue.

    Exits with 1 if a step did not do what it says.
    """
    raise typer.Exit(running.run(_demo(amqp, redis, as_json=as_json), as_json=as_json))


async def _demo(amqp: str | None, redis: str | None, *, as_json: bool) -> Code:
    started_seconds = time.monotonic()
    system = running.prepare(amqp, redis)
    if as_json:
        outcomes = await play(system, story.STEPS, lambda _outcome: None)
        show_json(_document(_servers(system), outcomes, time.monotonic() - started_seconds))
    else:
        OUT.print(f"An order-processing story on {_servers(system)}\n")
        outcomes = await play(system, story.STEPS, _show)
        _show_summary(outcomes, time.monotonic() - started_seconds)
    return Code.OK if all(outcome.ok for outcome in outcomes) else Code.REFUSED


def _servers(system: ActorSystem) -> str:
    if running.is_embedded(system):
        return "the embedded broker and store"
    # Host and port only: URLs hold passwords.
    try:
        amqp, redis = urlsplit(system.settings.url), urlsplit(system.settings.redis_url)
        places = f"{amqp.hostname}:{amqp.port or 5672}", f"{redis.hostname}:{redis.port or 6379}"
    except ValueError:
        # Nor what the parser says of them.
        raise ConfigurationError(f"the URL of the broker or the store cannot be read: {QUOTING}") from None
    return f"RabbitMQ at {places[0]} and Redis at {places[1]}"


def _show(outcome: Outcome) -> None:
    step, seen = outcome.step, outcome.seen
    OUT.print(f"{step.name}: {step.does}", style="bold")
    OUT.print(f"  expected  {step.expected}")
    OUT.print(f"  seen      {seen.text}", style="green" if outcome.ok else "red")
    if seen.note:
        OUT.print(f"            {seen.note}", style="dim")
    OUT.print()


def _show_summary(outcomes: Sequence[Outcome], seconds: float) -> None:
    rows = [
        (outcome.step.name, outcome.seen.text, "ok" if outcome.ok else "FAILED", f"{outcome.seconds:.3f}")
        for outcome in outcomes
    ]
    show_table(("step", "seen", "result", "seconds"), rows)
    good = sum(outcome.ok for outcome in outcomes)
    OUT.print(f"\n{good} of {len(outcomes)} steps did what they say, in {seconds:.1f} s")


def _document(servers: str, outcomes: Sequence[Outcome], seconds: float) -> dict[str, object]:
    steps = [
        {
            "name": outcome.step.name,
            "does": outcome.step.does,
            "expected": outcome.step.expected,
            "seen": outcome.seen.text,
            "ok": outcome.ok,
            "note": outcome.seen.note,
            "seconds": round(outcome.seconds, 4),
        }
        for outcome in outcomes
    ]
    return {
        "ok": all(o.ok for o in outcomes),
        "servers": servers,
        "seconds": round(seconds, 3),
        "steps": steps,
    }
