"""The outcome as a table to read, as Markdown for the documentation, and as JSON to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from tests.benchmarks.benchmark import Size
from tests.benchmarks.figures import Figure
from tests.benchmarks.runner import Outcome

#: Metric: its title and how a value is written.
METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "rate": ("per second", "{:,.0f}"),
    "cpu_us": ("CPU µs of the process each", "{:,.0f}"),
    "together": ("per second, 100 at a time", "{:,.0f}"),
    "p50_ms": ("p50 ms", "{:.2f}"),
    "p99_ms": ("p99 ms", "{:.2f}"),
}
#: In the documentation, what `--markdown` replaces.
BEGIN: Final = "<!-- results: written by python -m tests.benchmarks --markdown FILE -->"
END: Final = "<!-- end of results -->"


def text(outcomes: Sequence[Outcome]) -> str:
    """Return the tables for a terminal."""
    return "\n".join(line for outcome in outcomes for line in _terminal(outcome))


def markdown(outcomes: Sequence[Outcome], machine: Mapping[str, str], size: Size) -> str:
    """Return the tables for the documentation."""
    lines = [BEGIN, ""]
    for outcome in outcomes:
        header, *rows = _rows(outcome)
        lines += [
            f"### {outcome.benchmark.name}",
            "",
            _bar(header),
            _bar(["---", *["---:" for _ in header[1:]]]),
        ]
        lines += [*map(_bar, rows), ""]
        lines += [f"- {verdict}" for verdict in _verdicts(outcome)] + [""]
    lines += ["### Measured with", ""]
    facts = {**machine, **{name: str(value) for name, value in _plain(size).items()}}
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, "", END])


def insert(document: str, results: str) -> str:
    """Return *document* with *results* in the place kept for them, or at its end."""
    before, begin, rest = document.partition(BEGIN)
    if not begin:
        return f"{document.rstrip()}\n\n{results}\n".lstrip()
    _, _, after = rest.partition(END)
    return f"{before}{results}{after}"


def as_json(outcomes: Sequence[Outcome], machine: Mapping[str, str], size: Size) -> str:
    """Return everything, samples included."""
    benchmarks = [
        {
            "name": outcome.benchmark.name,
            "loads": outcome.loads,
            "variants": {
                variant: {metric: asdict(each) for metric, each in outcome.figures(variant).items()}
                for variant in outcome.samples
            },
            "targets": [
                {**asdict(verdict), "text": str(verdict.target), "verdict": str(verdict)}
                for verdict in outcome.verdicts()
            ],
        }
        for outcome in outcomes
    ]
    return (
        json.dumps({"machine": dict(machine), "size": asdict(size), "benchmarks": benchmarks}, indent=2)
        + "\n"
    )


def _terminal(outcome: Outcome) -> Iterator[str]:
    rows = list(_rows(outcome))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    yield outcome.benchmark.name
    for first, *rest in rows:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
        ]
        yield "  " + "   ".join(cells)
    for verdict in _verdicts(outcome):
        yield f"  {verdict}"


def _rows(outcome: Outcome) -> Iterator[list[str]]:
    metrics = [name for name in METRICS if any(name in each for each in outcome.samples.values())]
    yield ["median (and the interval it lies in)", *(METRICS[name][0] for name in metrics)]
    for variant in outcome.samples:
        figures = outcome.figures(variant)
        yield [variant, *(_cell(figures[name], METRICS[name][1]) for name in metrics)]


def _verdicts(outcome: Outcome) -> Iterator[str]:
    for verdict in outcome.verdicts():
        found = _cell(verdict.ratio, "{:.2f}")
        title = METRICS[verdict.target.metric][0]
        yield f"{verdict}: {title}, {verdict.target}; measured {found}"


def _cell(value: Figure, form: str) -> str:
    return f"{form.format(value.median)} ({form.format(value.low)}..{form.format(value.high)})"


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(size: Size) -> dict[str, object]:
    return {name.replace("_", " "): value for name, value in asdict(size).items()}
