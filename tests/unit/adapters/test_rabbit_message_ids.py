"""Ids of publish attempts name their time, and nothing has the same one."""

from __future__ import annotations

from itertools import islice

from broker_actors.adapters.rabbitmq.message_ids import message_ids


def test_an_id_begins_with_the_time_of_its_attempt() -> None:
    times = iter([1767225600.0, 1767225600.9, 1767225601.2])
    assert list(islice(message_ids("x", lambda: next(times)), 3)) == [
        "2026-01-01T00:00:00Z-x-1",
        "2026-01-01T00:00:00Z-x-2",
        "2026-01-01T00:00:01Z-x-3",
    ]


def test_ids_of_one_moment_differ_within_a_publisher_and_between_two() -> None:
    ids = [*islice(message_ids("x", lambda: 0.0), 1000), *islice(message_ids("y", lambda: 0.0), 1000)]
    assert len(set(ids)) == 2000
