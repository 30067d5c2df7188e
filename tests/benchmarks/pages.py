"""Writes the page of the benchmarks, and all its charts, from the results of a run.

    python -m tests.benchmarks charts result.json [more.json ...]

Invariant: everything between the marks of the page, every chart and the samples beside it come from
the same files, and what an earlier run left is removed; so no figure there is older than another.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.charts import chart
from tests.benchmarks.report import METRICS, bar, section, verdict_rows
from tests.benchmarks.results import Result, Run, load

BEGIN: Final = "<!-- results: written by python -m tests.benchmarks charts FILE -->"
END: Final = "<!-- end of results -->"
_DOCS: Final = Path(__file__).parents[2] / "docs"
#: What the files of charts begin with, and nothing else beside them.
_PREFIX: Final = "benchmark-"
_SAMPLES: Final = "benchmarks.json"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks charts")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what --json wrote")
    parser.add_argument("--docs", type=Path, default=_DOCS, help="the folder of the documentation")
    given = parser.parse_args(arguments)
    write(load(given.files), given.docs)
    return 0


def write(run: Run, docs: Path) -> None:
    """Write the page, the charts and the samples of *run* into the documentation at *docs*."""
    images, page = docs / "images", docs / "explanation" / "benchmarks.md"
    for old in images.glob(f"{_PREFIX}*.svg"):
        old.unlink()
    for name, text in charts(run).items():
        (images / name).write_text(text, encoding="utf-8")
    run.save(page.parent / _SAMPLES)
    page.write_text(insert(page.read_text(encoding="utf-8"), results(run)), encoding="utf-8")


def charts(run: Run) -> dict[str, str]:
    """Return the charts of *run* by the names of their files."""
    return {
        _file(result, metric): chart(
            f"{result.name}: {METRICS[metric].title}", result.figures(metric), METRICS[metric].form
        )
        for result in run.results
        for metric in _charted(result)
    }


def results(run: Run) -> str:
    """Return what stands between the marks."""
    lines = [BEGIN, "", "### Targets", "", bar(["benchmark", "figure", "target", "found", "verdict"])]
    lines += [bar(["---"] * 5), *map(bar, verdict_rows(run)), ""]
    for result in run.results:
        lines += [f"### {result.name}", ""]
        for metric in _charted(result):
            lines += [f"![{result.name}: {METRICS[metric].title}](../images/{_file(result, metric)})", ""]
        lines += section(result)
    lines += ["### Measured with", "", f"Every sample is in [{_SAMPLES}]({_SAMPLES}).", ""]
    lines += [f"- {name}: {value}" for name, value in (run.machine | run.size).items()]
    loads = [load for result in run.results for load in result.loads]
    if loads:
        lines.append(f"- load when the rounds began: {min(loads):.1f} to {max(loads):.1f}")
    return "\n".join([*lines, "", END])


def insert(document: str, text: str) -> str:
    """Return *document* with *text* in the place kept for it.

    Raises:
        ValueError: it has none.

    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for results: write {BEGIN} and {END} into it")
    return f"{before}{text}{after}"


def _charted(result: Result) -> list[str]:
    """Return the metrics of which *result* has something to compare."""
    return [name for name, metric in METRICS.items() if metric.charted and len(result.figures(name)) > 1]


def _file(result: Result, metric: str) -> str:
    return f"{_PREFIX}{result.key}-{metric.replace('_', '-')}.svg"
