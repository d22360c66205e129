"""How does a score sheet read as data? The same for the API and the command line."""

from __future__ import annotations

from typing import Any

from api.answers import local_time
from domain.catalog import to_builtins
from projections.evaluation.beside import Beside
from projections.evaluation.score_sheet import BY_REVIEWERS, ScoreSheet, SheetHead
from projections.evaluations import EvaluationRow


def sheet_data(sheet: ScoreSheet) -> dict[str, Any]:
    """A sheet; decimals are texts, so that no digit is lost."""
    plain: dict[str, Any] = to_builtins(sheet)
    heads = zip(plain["heads"], sheet.heads, strict=True)
    return plain | {
        "heads": [_head(said, head) for said, head in heads],
        "weight": sheet.weight, "judged_weight": sheet.judged_weight,
        "points": str(sheet.points), "late": sheet.late, "changed": list(sheet.changed),
        "unpublished": [month.month for month in sheet.unpublished],
        "code": sheet.code,
    }


def _head(plain: dict[str, Any], head: SheetHead) -> dict[str, Any]:
    rows = zip(plain["rows"], head.rows, strict=True)
    return plain | {
        "label": head.head.label, "weight": head.weight, "judged_weight": head.judged_weight,
        "points": str(head.points),
        "rows": [
            said | {"is_judged": row.is_judged, "note": BY_REVIEWERS if row.is_judged else None}
            for said, row in rows
        ],
    }


def beside_data(found: Beside) -> dict[str, Any]:
    """Two sheets side by side, and what differs."""
    return {
        "sheet": sheet_data(found.sheet), "what_if": sheet_data(found.other),
        "rows": to_builtins(found.rows), "figures": to_builtins(found.figures),
    }


def run_data(row: EvaluationRow) -> dict[str, Any]:
    """A run in a list."""
    plain: dict[str, Any] = to_builtins(row)
    return plain | {"run_at": local_time(row.run_at)}
