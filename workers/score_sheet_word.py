"""How does a score sheet become a Word file, with charts that can be edited?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from docxtpl import DocxTemplate

from domain.publication import short_code
from projections.evaluation.score_sheet import BY_REVIEWERS, ScoreSheet, SheetRow
from workers import score_sheet_tables as tables
from workers.charts import Chart
from workers.excel_tables import Cell
from workers.reports import fill_document, save_whole, stamp
from workers.score_sheet_tables import Proof, said
from workers.score_sheet_template import write_score_template
from workers.word_charts import InlineChart

TEMPLATE_NAME: Final = "score-sheet.docx"
MOST_LISTED: Final = 60
"""How many rows of a list Word prints; the workbook has all."""
MONTHS: Final = 12
SHORT_ID: Final = 8


def write_score_document(
    sheet: ScoreSheet, proof: Proof, target: Path, templates: Path | None = None
) -> None:
    """Fill the station's template (made on first use in ``templates``) and save the file.

    A reviewer at home has no folder of templates: the one that all start from is filled.

    :raises BadTemplateError: where the template was edited into something unusable.
    """
    with tempfile.TemporaryDirectory() as folder:
        template = (templates or Path(folder)) / TEMPLATE_NAME
        if not template.exists():
            write_score_template(template)
        document = DocxTemplate(str(template))
        fill_document(document, fillings(sheet, proof, document))
    stamp(document.docx, f"{sheet.cycle} 项目周期评估得分表　评估码 {short_code(sheet.code)}")
    save_whole(document, target)


def fillings(sheet: ScoreSheet, proof: Proof, document: DocxTemplate) -> dict[str, Any]:
    """What the template may print."""
    whole = tables.completion_chart(sheet)
    height = 3.2 + 0.85 * len(whole.categories) if whole else 0
    return {
        "sheet": sheet,
        "title": f"{sheet.cycle} 项目周期评估得分表",
        "imprint": tables.imprint(sheet).replace("；评估码", "\n评估码"),
        "warning": "".join(filter(None, (tables.warning(sheet), _cut_months(sheet)))),
        "summary": summary(sheet),
        "heads": _named(tables.heads(sheet), "head", "count", "weight", "judged", "points"),
        "indicator_heads": [
            {"label": head.head.label, "rows": [_indicator(head.head.label, r) for r in head.rows]}
            for head in sheet.heads if head.rows
        ],
        "indicators": [
            _indicator("" if number else head.head.label, row)
            for head in sheet.heads for number, row in enumerate(head.rows)
        ],
        "completion": whole and InlineChart(document, whole, 16.2, min(height, 20)),
        "months": _twelve(_month_names(sheet)),
        "by_month": [_month_row(row) for row in sheet.rows if row.months],
        "month_charts": _pairs(tables.month_charts(sheet), document),
        "late": _listed(_late(sheet), "补录是服务当月结束后才录入的记录", sheet.late),
        "reports": _listed(
            _reports(sheet), "周期内的报告，按发布时的台账重算并与现在比较；未发布的月份无可比较"
        ),
        "changes": _listed(_changes(sheet), "报告发布以来补录、更正、作废等引起的变动"),
        "signals": _listed(
            _named(tables.signals(sheet), "label", "on", "who", "text", "count"),
            "看上去不寻常的地方，只是提示，不是结论", sheet.signal_count,
        ),
        "proof": _named(tables.proof_rows(sheet, proof), "name", "text"),
    }


def summary(sheet: ScoreSheet) -> str:
    """The result in a sentence."""
    others = sheet.other_books_said or ""
    if sheet.task_book is None:
        return f"本周期没有已审定的任务书，只列数字，不计分。{others}"
    counted = sheet.weight - sheet.judged_weight
    return (sheet.mid_term_said if sheet.is_mid_term else "") + (
        f"任务书《{sheet.title}》共 {sheet.weight} 分。按台账记录可计 {counted} 分，"
        f"得 {said(sheet.points)} 分；另有 {sheet.judged_weight} 分由评审评定。{others}"
    )


def _named(rows: Iterable[Sequence[Cell]], *names: str) -> list[dict[str, str]]:
    return [dict(zip(names, map(said, row), strict=True)) for row in rows]


def _indicator(head: str, row: SheetRow) -> dict[str, str]:
    target, completed = row.target, row.completed_percent
    return {
        "head": head, "label": f"{target.label}（{row.remark}）" if row.remark else target.label,
        "wanted": f"{target.direction.label} {target.target} {target.unit.label}",
        "actual": row.actual.display if row.actual else "",
        "completed": "" if completed is None else f"{said(completed)}%",
        "weight": str(target.weight), "late": str(row.late or ""),
        "points": BY_REVIEWERS if row.is_judged else said(row.points),
    }


def _month_row(row: SheetRow) -> dict[str, Any]:
    return {
        "label": f"{row.target.label}（{row.target.unit.label}）",
        "done": _twelve([month.actual.display if month.actual else "" for month in row.months]),
        "planned": _twelve([said(month.planned) for month in row.months]),
        "has_plan": row.has_plan, "plan_label": row.plan_label,
    }


def _month_names(sheet: ScoreSheet) -> list[str]:
    """The months of the whole cycle, also those after the day of evaluation."""
    months = next((row.months for row in sheet.rows if row.months), ())
    return [str(int(month.month[5:])) for month in months]


def _twelve(texts: list[str]) -> list[str]:
    """The months of the table; a longer cycle has the rest of them in the workbook."""
    return [*texts, *[""] * MONTHS][:MONTHS]


def _cut_months(sheet: ScoreSheet) -> str | None:
    """That the table of the months is too narrow for the cycle; ``None`` where it is not."""
    if len(_month_names(sheet)) <= MONTHS:
        return None
    return f"周期超过 {MONTHS} 个月，分月表只列前 {MONTHS} 个月，其余见 Excel 得分表。"


def _pairs(charts: list[Chart], document: DocxTemplate) -> list[list[InlineChart | str]]:
    """The charts of the months, two in a row."""
    drawn: list[InlineChart | str] = [InlineChart(document, c, 7.9, 5.2) for c in charts]
    if len(drawn) % 2:
        drawn.append("")
    return [drawn[start : start + 2] for start in range(0, len(drawn), 2)]


def _listed(rows: list[dict[str, str]], what: str, count: int | None = None) -> dict[str, Any]:
    """A list, cut where it is too long for paper, and the line that says so."""
    if not rows:
        return {"says": f"{what}：没有。", "rows": []}
    count = count or len(rows)
    cut = f"，以下列出前 {MOST_LISTED} 项，其余见 Excel 得分表" if count > MOST_LISTED else ""
    return {"says": f"{what}：共 {count} 项{cut}。", "rows": rows[:MOST_LISTED]}


def _late(sheet: ScoreSheet) -> list[dict[str, str]]:
    return [
        {
            "label": said(label), "on": said(on), "at": said(at), "days": said(days),
            "record": " ".join(
                filter(None, (
                    said(kind), _short(said(subject)), f"第 {entry} 项" if entry else "",
                ))
            ),
        }
        for label, on, at, days, kind, subject, entry in tables.late_entries(sheet)
    ]


def _short(subject: str) -> str:
    """As much of an id as fits on paper; the workbook has all of it."""
    return subject if len(subject) <= SHORT_ID + 1 else f"{subject[:SHORT_ID]}…"


def _reports(sheet: ScoreSheet) -> list[dict[str, str]]:
    names = ("period", "code", "at", "actor", "position", "number", "found")
    return _named(tables.reports(sheet), *names)


def _changes(sheet: ScoreSheet) -> list[dict[str, str]]:
    return [
        {
            "period": said(period), "label": said(label), "before": said(before),
            "after": said(after), "change": said(change), "on": said(on),
            "record": f"{said(kind)} {_short(said(subject))}".strip(),
        }
        for period, label, before, after, change, on, _amount, _position, kind, subject, _entry
        in tables.changes(sheet)
    ]
