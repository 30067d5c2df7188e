"""What an actor does later: reminders, which outlive its worker, and timers, which do not.

    from broker_actors.schedules import cron, remind

Invariant: nothing is decided here; it is what `broker_actors` exports, for those who need it.
"""

from broker_actors.actor.reminding import (
    Reminder,
    at,
    cron,
    every,
    forget,
    remind,
    reminders,
    start_timer,
    stop_timer,
)
from broker_actors.actor.scheduled import ScheduledTell
from broker_actors.core.rhythm import Missed, Plan

__all__ = [
    "Missed",
    "Plan",
    "Reminder",
    "ScheduledTell",
    "at",
    "cron",
    "every",
    "forget",
    "remind",
    "reminders",
    "start_timer",
    "stop_timer",
]
