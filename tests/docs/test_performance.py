"""Does the document about speed say what was measured, and nothing else?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from desk import STATION, Desk, a_station

from bench.filling import codes, grow
from bench.grown import NotKeptWholeError, grown
from bench.places import Place, Servers, on_sqlite
from bench.results import to_show
from projections.engine import ReadModels

ROOT = Path(__file__).resolve().parents[2]
RESULTS = json.loads((ROOT / "bench" / "results.json").read_text(encoding="utf-8"))
DOCUMENT = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_each_result_is_a_row_of_the_table() -> None:
    """Given what was measured, when the table is read, then each ratio stands there as it is.

    Where both databases have a full run, it stands for the quick one.
    """
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ") and " | " in line]
    for result in to_show(RESULTS):
        verdict = "✓" if result["ok"] else "**missed**"
        [row] = [r for r in rows if r.startswith(f"| {result['name']} | {result['database']} |")]
        assert f"| {result['ratio']:.2f} |" in row
        assert f"| {verdict} |" in row
        assert result["detail"] in row


def test_a_result_is_ok_only_within_its_target() -> None:
    """Given a target, when a result calls itself ok, then it is; a missed one says why."""
    for result in RESULTS:
        ratio, target = result["ratio"], result["target"]
        is_met = ratio <= target if result["is_bound"] else ratio >= target
        assert result["ok"] == is_met or abs(ratio - target) < 0.001, result["name"]
        assert result["ok"] or result["reason"], result["name"]


def test_both_databases_are_measured_alike() -> None:
    """Given two databases, when one is measured by the quick run, then so is the other."""
    names = {
        database: {
            r["name"].split("p99")[0]
            for r in RESULTS if (r["database"], r["run"]) == (database, "quick")
        }
        for database in ("sqlite", "postgresql")
    }
    assert names["sqlite"] == names["postgresql"]


def test_the_plots_are_there() -> None:
    """Given the document, when it shows a plot, then the plot is in the tree."""
    for name in ("sqlite", "postgresql"):
        assert f"performance/{name}.svg" in DOCUMENT
        assert (ROOT / "docs" / "performance" / f"{name}.svg").stat().st_size > 10_000


def test_a_part_is_measured_without_what_only_others_need() -> None:
    """Given an environment without the compared packages, when a part is asked for, then it is known."""
    without = (
        "import sys; sys.modules.update(dict.fromkeys(('django', 'waitress', 'granian')));"
        "from bench.__main__ import main; main(['nothing'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", without], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "bench: unknown nothing; parts are" in run.stderr


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Given a folder of long logs with one of a few stations, whose read models are empty."""
    monkeypatch.setenv("GROWN", str(tmp_path))
    folders = tmp_path / "template", tmp_path / "sqlite-7"
    for folder in folders:
        folder.mkdir()
    template, place = map(on_sqlite, folders)
    with template.ledger() as ledger:
        Desk(ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
        year = list(ledger.notifications(0))
    with place.ledger() as ledger:
        grow(place, ledger, year, 7)
    return place


def test_a_long_log_that_was_not_built_to_its_end_is_refused(kept: Place) -> None:
    """Given no note that it is whole, when it is asked for, then it says what to delete."""
    with (
        pytest.raises(NotKeptWholeError, match=r"sqlite-7 was not built .* sqlite-7\.json"),
        grown(Servers(kept.folder.parent, ""), "sqlite", 7),
    ):
        pass


def test_a_kept_long_log_is_asked_again_once_it_is_caught_up(kept: Place) -> None:
    """Given a note beside it, when it is asked for, then nothing grows but the read models."""
    kept.folder.with_suffix(".json").write_text('{"peak_memory": 5}')
    with grown(Servers(kept.folder.parent, ""), "sqlite", 7) as found, kept.ledger() as ledger:
        assert (found.stations, found.peak_memory) == (codes(1, 8), 5)
        assert ledger.head() == 8
        read_models = ReadModels(found.place.read_url)
        assert read_models.position() == 8
        read_models.close()
