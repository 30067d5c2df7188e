"""A run as tables: to read in a terminal, and as Markdown for the documentation. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.figures import Figure
from tests.benchmarks.results import Result, Run


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is shown.

    Attributes:
        title: of its column.
        form: of a value.
        charted: whether a picture of it is worth drawing.

    """

    title: str
    form: str = "{:,.0f}"
    charted: bool = False


#: In the order of the columns.
METRICS: Final[Mapping[str, Metric]] = {
    "rate": Metric("per second", charted=True),
    "activated": Metric("activated per second", charted=True),
    "woken": Metric("woken per second", charted=True),
    "bytes": Metric("bytes per live actor"),
    "chunks": Metric("chunks per second, one stream", charted=True),
    "chunks_together": Metric("chunks per second, 20 streams", charted=True),
    "p50_ms": Metric("p50 ms", "{:.2f}", charted=True),
    "p99_ms": Metric("p99 ms", "{:.2f}"),
    "together": Metric("per second, 100 at a time", charted=True),
    "share": Metric("% by the busier process"),
    "cpu_us": Metric("CPU µs each"),
}


def terminal(run: Run) -> str:
    """Return the tables for a terminal."""
    return "\n".join(line for result in run.results for line in _terminal(result))


def section(result: Result) -> list[str]:
    """Return the lines of the documentation about *result*, without its charts."""
    header, *table = rows(result)
    lines = [bar(header), bar(["---", *["---:" for _ in header[1:]]]), *map(bar, table), ""]
    if verdicts := list(_verdicts(result)):
        lines += [*(f"- {verdict}" for verdict in verdicts), ""]
    return lines


def verdict_rows(run: Run) -> Iterator[list[str]]:
    """Return a row for each target: where it was measured, what it is, what was found, the verdict."""
    for result in run.results:
        for verdict in result.verdicts():
            metric = METRICS[verdict.target.metric]
            form = "{:.2f}" if verdict.base else metric.form
            yield [result.name, metric.title, str(verdict), _cell(verdict.found, form), verdict.word]


def rows(result: Result) -> Iterator[list[str]]:
    """Return the table of *result*, its header first."""
    metrics = [name for name in METRICS if result.figures(name)]
    figures = {name: result.figures(name) for name in metrics}
    count = len(result.loads)
    yield [f"median of {count} (lowest..highest)", *(METRICS[name].title for name in metrics)]
    for variant in result.samples:
        yield [
            variant,
            *(
                _cell(figures[name][variant], METRICS[name].form) if variant in figures[name] else ""
                for name in metrics
            ),
        ]


def bar(cells: Sequence[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def _terminal(result: Result) -> Iterator[str]:
    table = list(rows(result))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    yield ""
    yield result.name
    for first, *rest in table:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
        ]
        yield "  " + "   ".join(cells)
    for verdict in _verdicts(result):
        yield f"  {verdict}"


def _verdicts(result: Result) -> Iterator[str]:
    for verdict in result.verdicts():
        metric = METRICS[verdict.target.metric]
        form = "{:.2f}" if verdict.base else metric.form
        yield f"{verdict.word}: {metric.title}, {verdict}; found {_cell(verdict.found, form)}"


def _cell(value: Figure, form: str) -> str:
    return f"{form.format(value.median)} ({form.format(value.low)}..{form.format(value.high)})"
