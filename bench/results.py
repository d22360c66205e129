"""Which results are kept, when only some parts were measured anew?

A row says which part measured it, in which kind of run and when. Measuring a part again
replaces its rows of the same database and the same kind of run; all others stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.places import DATABASES
from bench.ratios import Peer, Ratio

FOLDER: Final = Path(__file__).resolve().parent
RATIOS: Final = FOLDER / "results.json"
PEERS: Final = FOLDER / "peers.json"

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the measurements: ``quick`` or ``full``, and its day."""

    kind: str
    measured_on: str

    @classmethod
    def now(cls, *, is_quick: bool) -> Run:
        """A run that begins today."""
        day = datetime.now(UTC).date()  # noqa: TID251 - when it was measured
        return cls("quick" if is_quick else "full", day.isoformat())

    def ratios(self, part: str, found: Sequence[Ratio]) -> Rows:
        """The ratios that a part has measured, as ``bench/results.json`` has them."""
        return [
            {
                "name": r.name, "database": r.database, "ratio": round(r.ratio, 3),
                "target": r.target, "ok": r.is_ok, "is_bound": r.is_bound, "detail": r.detail,
                "reason": "" if r.is_ok else r.reason, **self._of(part),
            }
            for r in found
        ]

    def peers(self, found: Sequence[Peer]) -> Rows:
        """The peers, as ``bench/peers.json`` has them."""
        return [
            {"name": p.name, "database": p.database, "figures": dict(p.figures),
             **self._of("peers")}
            for p in found
        ]

    def _of(self, part: str) -> dict[str, str]:
        return {"part": part, "run": self.kind, "measured_on": self.measured_on}


def keep(path: Path, new: Rows, parts: Sequence[str]) -> Rows:
    """Put new rows in the place of those that they replace; answers all rows."""
    replaced = {_measurement(row) for row in new}
    kept = [row for row in read(path) if _measurement(row) not in replaced]
    rows = sorted(kept + new, key=_order(parts))
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return rows


def read(path: Path) -> Rows:
    """The rows of a file of results."""
    rows: Rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return rows


def to_show(rows: Rows) -> Rows:
    """The full run's rows of each part, and the quick one's until every database has a full one."""
    measured = {(row["part"], row["database"]) for row in rows}
    full = {(row["part"], row["database"]) for row in rows if row["run"] == "full"}
    lacking = {part for part, _database in measured - full}
    return [row for row in rows if row["run"] == "full" or row["part"] in lacking]


def _measurement(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["part"], row["database"], row["run"]


def _order(parts: Sequence[str]) -> Callable[[dict[str, Any]], tuple[int, int, str]]:
    """By part, database and run; the rows of one measurement keep their order."""
    return lambda row: (
        parts.index(row["part"]), DATABASES.index(row["database"]), row["run"]
    )
