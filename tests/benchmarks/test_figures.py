"""What the benchmarks say must follow from their samples."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.charts import chart
from tests.benchmarks.figures import Target, figure, judge, ratio
from tests.benchmarks.job import Job, Messages
from tests.benchmarks.options import QUICK, parse

FASTER = Target("rate", "ours", ("raw",), 1.0)
CLOSE = Target("p50_ms", "ours", ("raw",), 2.0, at_most=True)


@pytest.mark.parametrize(
    ("target", "ours", "met", "certain"),
    [
        (FASTER, [110, 120, 130], True, True),
        (FASTER, [70, 80, 90], False, True),
        (FASTER, [90, 110, 120], True, False),
        (FASTER, [90, 90, 120], False, False),
        (FASTER, [150], True, False),
        (CLOSE, [110, 120, 130], True, True),
        (CLOSE, [210, 220, 230], False, True),
        (CLOSE, [190, 210, 230], False, False),
    ],
)
def test_a_verdict_is_certain_when_the_whole_interval_is_on_one_side(
    target: Target, ours: list[float], *, met: bool, certain: bool
) -> None:
    verdict = judge(target, {"ours": ours, "raw": [100.0] * len(ours)})
    assert (verdict.met, verdict.certain) == (met, certain)


def test_the_best_of_several_is_what_a_target_is_held_against() -> None:
    samples = {"ours": [100.0], "slow": [20.0], "fast": [50.0]}
    rate = judge(Target("rate", "ours", ("slow", "fast"), 3.0), samples)
    latency = judge(Target("p50_ms", "ours", ("slow", "fast"), 3.0, at_most=True), samples)
    assert (rate.base, rate.met, latency.base, latency.met) == ("fast", False, "slow", False)


def test_a_target_may_be_a_value() -> None:
    target = Target("bytes", "ours", (), 3_000, at_most=True)
    assert [judge(target, {"ours": [bytes_]}).met for bytes_ in (2_999.0, 3_001.0)] == [True, False]


def test_a_target_without_anything_to_be_held_against_is_none() -> None:
    target = Target("rate", "ours", ("a peer", "another"), 3.0)
    assert target.among(["ours"]) is None
    assert target.among(["ours", "another"]) == Target("rate", "ours", ("another",), 3.0)
    assert Target("bytes", "ours", (), 1.0).among(["ours"]) is not None


def test_ratios_are_taken_round_by_round() -> None:
    # The machine was twice as fast in the second round; the variants were equal in both.
    assert ratio([100, 200], [100, 200]).samples == (1.0, 1.0)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=40))
def test_an_interval_holds_its_median(samples: list[float]) -> None:
    found = figure(samples)
    assert min(samples) <= found.low <= found.median <= found.high <= max(samples)


def test_an_interval_leaves_out_extremes_once_there_are_samples_enough() -> None:
    assert (figure(range(8)).low, figure(range(8)).high) == (0, 7)
    assert (figure(range(9)).low, figure(range(9)).high) == (1, 7)


def test_raw_messages_are_numbered_densely_per_actor() -> None:
    job = Job(
        "", "", "Plain8", partitions=8, actors=3, messages=9, warm_up=0, in_flight=1, prefetch=1, sender="s"
    )
    sent = [Messages(job).headers(n) for n in range(9)]
    assert [h["ba-seq"] for h in sent if h["ba-id"] == "a1"] == [1, 2, 3]


def test_options_override_the_size_they_name() -> None:
    options = parse(["--quick", "--rounds", "7", "--only", "ask,publish"])
    assert (options.size.rounds, options.size.messages, options.only) == (
        7,
        QUICK.messages,
        ("ask", "publish"),
    )


def test_a_chart_shows_every_variant_the_fastest_first() -> None:
    figures = {"slow & <old>": figure([1.0]), "fast": figure([2, 3, 4])}
    drawn = ET.fromstring(chart("rates", figures, "{:.0f}"))  # noqa: S314 - written here a moment ago
    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert texts == ["rates", "fast", "3", "slow & <old>", "1"]
