"""How is a score sheet downloaded, as Word or Excel?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Response

from api.access_log import AccessAction
from api.bodies import Blueprint
from api.evaluations import recorded_sheet
from api.identity import READ_EVALUATIONS, action
from api.paging import ReadSchema
from api.personal import noted
from api.queries import excel_file, word_file
from api.services import services
from projections.evaluation.score_sheet import ScoreSheet
from workers.score_sheet_excel import write_score_workbook
from workers.score_sheet_proof import proof_of
from workers.score_sheet_tables import Proof
from workers.score_sheet_word import write_score_document

score_sheets = Blueprint(
    "score_sheets", __name__, url_prefix="/api/v1/evaluations", description="年度评估"
)


@score_sheets.route("/<identity>/sheet/docx")
@action(READ_EVALUATIONS)
@score_sheets.arguments(ReadSchema, location="query")
def get_sheet_docx(_query: dict[str, Any], identity: str) -> Response:
    """评分表的 Word 文件，含图表。"""
    return sheet_in_word(_sheet(identity))


@score_sheets.route("/<identity>/sheet/xlsx")
@action(READ_EVALUATIONS)
@score_sheets.arguments(ReadSchema, location="query")
def get_sheet_xlsx(_query: dict[str, Any], identity: str) -> Response:
    """评分表的 Excel 文件，含图表和全部明细。"""
    return sheet_in_excel(_sheet(identity))


def _sheet(identity: str) -> ScoreSheet:
    return recorded_sheet(identity)


def sheet_in_word(sheet: ScoreSheet) -> Response:
    """A score sheet as a Word file to download, noted as an export."""
    noted(action=AccessAction.EXPORT)
    templates = services().settings.home / "templates"
    content = _written(lambda target: write_score_document(sheet, _proof(), target, templates))
    return word_file(content, f"{_name(sheet)}.docx")


def sheet_in_excel(sheet: ScoreSheet) -> Response:
    """The same as an Excel file."""
    noted(action=AccessAction.EXPORT)
    content = _written(lambda target: write_score_workbook(sheet, _proof(), target))
    return excel_file(content, f"{_name(sheet)}.xlsx")


def _proof() -> Proof:
    return proof_of(services().settings, services().runtime.seals)


def _name(sheet: ScoreSheet) -> str:
    until = f"（截至 {sheet.as_of}）" if sheet.is_mid_term else ""
    return f"{sheet.name} {sheet.cycle} 评估得分表{until}"


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sheet"
        write(target)
        return target.read_bytes()
