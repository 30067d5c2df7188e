"""The documentation's page, charts and samples come from one run, and nothing older stays beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import pages
from tests.benchmarks.figures import Target
from tests.benchmarks.pages import BEGIN, END
from tests.benchmarks.report import terminal
from tests.benchmarks.results import Result, Run, load

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "benchmarks.md"


def run_of(key: str = "drain", rate: float = 100.0) -> Run:
    samples = {"ours": {"rate": [rate, rate + 2], "cpu_us": [7.0, 8.0]}, "theirs": {"rate": [40.0, 60.0]}}
    result = Result(key, key.title(), [Target("rate", "ours", ("theirs",), 2.0)], samples, [0.1, 0.2])
    return Run({"Python": "3", "load at the start": "0.1"}, {"rounds": "2"}, [result])


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for folder in ("images", "explanation"):
        (tmp_path / folder).mkdir()
    (tmp_path / "explanation" / "benchmarks.md").write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n")
    return tmp_path


def test_everything_is_written_from_the_file_of_a_run(docs: Path, tmp_path: Path) -> None:
    (docs / "images" / "benchmark-of-an-older-run.svg").touch()
    (docs / "images" / "queues.png").touch()
    run_of().save(tmp_path / "run.json")
    assert pages.main([str(tmp_path / "run.json"), "--docs", str(docs)]) == 0
    page = (docs / "explanation" / "benchmarks.md").read_text()
    assert page.startswith(f"# Before\n\n{BEGIN}\n")
    assert page.endswith(f"{END}\n\nAfter\n")
    assert "old" not in page
    assert "| ours | 101 (100..102) | 8 (7..8) |" in page
    assert "| Drain | per second | ours >= 2 x theirs | 2.10 (1.70..2.50) | met (within the noise) |" in page
    assert {file.name for file in (docs / "images").iterdir()} == {"benchmark-drain-rate.svg", "queues.png"}
    assert "](../images/benchmark-drain-rate.svg)" in page
    assert load([docs / "explanation" / "benchmarks.json"]) == run_of()


def test_parts_of_a_run_are_put_together_and_the_later_one_counts(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.json" for n in range(3)]
    for file, part in zip(files, (run_of("publish"), run_of("drain"), run_of("publish", 200.0)), strict=True):
        part.save(file)
    assert {r.key: r.samples["ours"]["rate"][0] for r in load(files).results} == {
        "publish": 200.0,
        "drain": 100.0,
    }


def test_runs_of_different_machines_are_not_mixed(tmp_path: Path) -> None:
    first, other = run_of(), run_of()
    other.machine["Python"] = "4"
    for name, run in (("first", first), ("other", other)):
        run.save(tmp_path / name)
    with pytest.raises(ValueError, match="not parts of one run"):
        load([tmp_path / "first", tmp_path / "other"])


def test_a_page_without_a_place_for_results_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no place for results"):
        pages.insert("# Another page\n", "results")


def test_the_documentation_has_a_place_for_results() -> None:
    assert "results" in pages.insert(PAGE.read_text(encoding="utf-8"), "results")


def test_a_terminal_shows_figures_and_verdicts() -> None:
    shown = terminal(run_of())
    assert "101 (100..102)" in shown
    assert "met (within the noise): per second, ours >= 2 x theirs; found 2.10 (1.70..2.50)" in shown
